"""The GPU behind CUDA's number for it: "cuda:0" is the first that this process may see."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from .nvidia_files import Gpu, read_gpus
from .sysfs import TopologyError

_VISIBLE, _ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"
_ADDRESS = ("domain", "bus", "device")


def cuda_addresses(index: int, proc: Path, *, ask: bool) -> list[str]:
    """Return the PCI address of the GPU that CUDA gives this number in this process.

    Nothing here starts CUDA: a process that did could no longer use it in its forked children.

    Parameters
    ----------
    index : int
        Number of the GPU among those that CUDA_VISIBLE_DEVICES allows.
    proc : Path
        Where procfs is.
    ask : bool
        Whether to ask torch, where it uses CUDA already, and NVML (pynvml).

    Returns
    -------
    list of str
        Several addresses if CUDA alone knows which: by default it numbers the fastest GPU first,
        and these differ in their model.

    Raises
    ------
    ValueError
        There is no such number.
    TopologyError
        Nothing here tells of GPUs.
    """
    if ask and (told := _from_torch(index)):
        return [told]
    listed = (ask and _from_nvml()) or read_gpus(proc)
    if not listed:
        raise TopologyError(
            f"device: nothing tells which GPU cuda:{index} is: no {proc}/driver/nvidia/gpus, and "
            "NVML lists none (pip install nvidia-ml-py); pass its PCI address, such as 0000:3b:00.0"
        )
    listed = sorted(listed, key=lambda gpu: gpu.pci)
    visible = list(_visible(listed, os.environ.get(_VISIBLE), ask=ask))
    if index >= len(visible):
        raise ValueError(
            f"device: there is no cuda:{index}: this process sees {len(visible)} of "
            f"{len(listed)} GPUs ({_VISIBLE}={os.environ.get(_VISIBLE)!r:.99})"
        )
    gpu, by_number = visible[index]
    alike = len({each.model for each in listed}) == 1
    if alike or not by_number or os.environ.get(_ORDER) == "PCI_BUS_ID":
        return [gpu.pci]
    return [each.pci for each in listed]


def current() -> int:
    """Return the number of the GPU that torch uses by default in this thread."""
    torch = sys.modules.get("torch")
    return torch.cuda.current_device() if torch and torch.cuda.is_initialized() else 0


def _visible(listed: Sequence[Gpu], value: str | None, *, ask: bool) -> Iterator[tuple[Gpu, bool]]:
    """Yield the GPUs that CUDA lists, and whether each is told by its number.

    CUDA ignores everything after an entry that names no GPU.
    """
    if value is None:
        yield from ((gpu, True) for gpu in listed)
        return
    for entry in map(str.strip, value.split(",")):
        if entry.isdecimal():
            found = list(listed[int(entry) : int(entry) + 1])
        elif entry.startswith("MIG-"):
            found = [gpu for gpu in listed if _holds(gpu, entry, ask=ask)]
        else:
            found = [gpu for gpu in listed if entry and _begins(gpu.uuid, entry)]
        if len(found) != 1:
            return
        yield found[0], entry.isdecimal()


def _begins(uuid: str, begin: str) -> bool:
    return uuid.lower().startswith(begin.lower())


def _holds(gpu: Gpu, instance: str, *, ask: bool) -> bool:
    """Return whether a part of this GPU is meant (MIG), by its UUID or by MIG-GPU-UUID/g/c."""
    if instance.startswith("MIG-GPU-"):
        return _begins(gpu.uuid, instance[4:].split("/")[0])
    nvml = _nvml() if ask else None
    if nvml is None:
        raise TopologyError(
            f"device: {_VISIBLE} names {instance!r}, and only NVML knows which GPU that is a part "
            "of: pip install nvidia-ml-py, or pass the GPU's PCI address"
        )
    try:
        part = nvml.nvmlDeviceGetHandleByUUID(instance)
        whole = nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(part)
        return bool(_text(nvml.nvmlDeviceGetUUID(whole)) == gpu.uuid)
    except nvml.NVMLError:
        return False
    finally:
        nvml.nvmlShutdown()


def _from_torch(index: int) -> str | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized() or index >= torch.cuda.device_count():
        return None
    told = torch.cuda.get_device_properties(index)
    numbers: list[Any] = [getattr(told, f"pci_{each}_id", None) for each in _ADDRESS]
    if None in numbers:
        return None
    domain, bus, slot = map(int, numbers)
    return f"{domain:04x}:{bus:02x}:{slot:02x}.0"


def _from_nvml() -> list[Gpu]:
    nvml = _nvml()
    if nvml is None:
        return []
    try:
        handles = map(nvml.nvmlDeviceGetHandleByIndex, range(nvml.nvmlDeviceGetCount()))
        return [
            Gpu(
                pci_address(_text(nvml.nvmlDeviceGetPciInfo(each).busId)),
                _text(nvml.nvmlDeviceGetUUID(each)),
                None,
                _text(nvml.nvmlDeviceGetName(each)),
            )
            for each in handles
        ]
    except nvml.NVMLError:
        return []
    finally:
        nvml.nvmlShutdown()


def _nvml() -> Any:
    """Return the module pynvml, started; None if it is not installed or finds no driver."""
    try:
        nvml = import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    return nvml


def _text(told: str | bytes) -> str:
    return told if isinstance(told, str) else told.decode("ascii", "replace")


def pci_address(text: str) -> str:
    """Return a PCI address as sysfs writes it; the domain is 0 by default.

    Raises
    ------
    ValueError
        This is no PCI address.

    Examples
    --------
    >>> pci_address("3B:00.0"), pci_address("00000000:3B:00.0")
    ('0000:3b:00.0', '0000:3b:00.0')
    """
    found = re.fullmatch(
        r"(?:([0-9a-f]{1,8}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])", text, re.IGNORECASE
    )
    if found is None:
        raise ValueError(f"expected a PCI address such as 0000:3b:00.0, got {text!r}")
    domain, bus, slot = (int(each or "0", 16) for each in found.groups()[:3])
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{found[4]}"
