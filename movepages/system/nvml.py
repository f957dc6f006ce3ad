"""NVIDIA's GPUs as NVML lists them, if its Python module (pynvml) is installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .nvidia_files import Gpu
from .pci_address import pci_address


def gpus_by_nvml() -> list[Gpu]:
    """Return the GPUs of this machine; none if NVML is not installed or finds no driver."""
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


def gpu_of_part(uuid: str) -> str | None:
    """Return the UUID of the GPU that a part (MIG) belongs to.

    "" if there is no such part; None if NVML is not installed or finds no driver.
    """
    nvml = _nvml()
    if nvml is None:
        return None
    try:
        part = nvml.nvmlDeviceGetHandleByUUID(uuid)
        whole = nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(part)
        return _text(nvml.nvmlDeviceGetUUID(whole))
    except nvml.NVMLError:
        return ""
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
