"""The GPU behind CUDA's number for it: "cuda:0" is the first that this process may see."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .nvidia_files import Gpu, read_gpus
from .nvml import gpu_of_part, gpus_by_nvml
from .sysfs import TopologyError

_VISIBLE, _ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"
_NUMBER = re.compile(r"\s*\+?([0-9]+)")
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
    listed = (ask and gpus_by_nvml()) or read_gpus(proc)
    if not listed:
        raise TopologyError(
            f"device: nothing shows which GPU cuda:{index} is: no {proc}/driver/nvidia/gpus, and "
            "NVML lists none (pip install nvidia-ml-py); pass its PCI address, such as 0000:3b:00.0"
        )
    listed = sorted(listed, key=lambda gpu: gpu.pci)
    allowed = os.environ.get(_VISIBLE)
    visible = listed if allowed is None else _visible(listed, allowed, ask=ask)
    if index >= len(visible):
        raise ValueError(
            f"device: there is no cuda:{index}: this process sees {len(visible)} of "
            f"{len(listed)} GPUs ({_VISIBLE}={allowed!r:.99})"
        )
    alike = len({each.model for each in listed}) == 1
    by_number = allowed is None or _NUMBER.match(allowed)
    if alike or not by_number or os.environ.get(_ORDER) == "PCI_BUS_ID":
        return [visible[index].pci]
    return [each.pci for each in listed]


def current() -> int:
    """Return the number of the GPU that torch uses by default in this thread."""
    torch = sys.modules.get("torch")
    return torch.cuda.current_device() if torch and torch.cuda.is_initialized() else 0


def _visible(listed: Sequence[Gpu], value: str, *, ask: bool) -> list[Gpu]:
    """Return the GPUs that CUDA lists for a value of CUDA_VISIBLE_DEVICES, in its order.

    Notes
    -----
    Tried with CUDA 13: the first entry decides whether all are numbers or all are UUIDs, which may
    be shortened. CUDA ignores everything after an entry that names no GPU, and lists no GPU at all
    if one occurs twice. Characters after a number do not count.
    """
    found: list[Gpu] = []
    for entry in map(str.strip, value.split(",")):
        number = _NUMBER.match(entry)
        if bool(number) != bool(_NUMBER.match(value)):
            break
        if number:
            hits = list(listed[int(number[1]) : int(number[1]) + 1])
        elif entry.startswith("MIG-"):
            # CUDA lists one part of one GPU, and nothing else beside it.
            whole = _whole_of(entry, ask=ask)
            return [gpu for gpu in listed if gpu.uuid == whole]
        else:
            hits = [
                gpu for gpu in listed if re.match("GPU-.", entry) and gpu.uuid.startswith(entry)
            ]
        if len(hits) != 1:
            break
        if hits[0] in found:
            return []
        found += hits
    return found


def _whole_of(part: str, *, ask: bool) -> str:
    """Return the UUID of the GPU that a part (MIG) belongs to; "" if there is no such part."""
    if part.startswith("MIG-GPU-"):
        return part[4:].split("/")[0]
    whole = gpu_of_part(part) if ask else None
    if whole is None:
        raise TopologyError(
            f"device: {_VISIBLE} names {part!r}, and only NVML knows which GPU that is a part of: "
            "pip install nvidia-ml-py, or pass the GPU's PCI address"
        )
    return whole


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
