"""Find the memory of objects that only speak DLPack, without copying or reading it."""

from __future__ import annotations

import contextlib
import inspect
import operator
from collections.abc import Callable
from typing import Any

from .. import _core
from .array_interface import NAMES, moves_about
from .memory import Memory

# DLDeviceType of DLPack.
_DEVICES = {
    1: "CPU", 2: "CUDA", 3: "CUDAHost", 4: "OpenCL", 7: "Vulkan", 8: "Metal", 9: "VPI", 10: "ROCM",
    11: "ROCMHost", 12: "ExtDev", 13: "CUDAManaged", 14: "OneAPI", 15: "WebGPU", 16: "Hexagon",
    17: "MAIA", 18: "Trn",
}  # fmt: skip
# The memory of these has addresses in this process. A driver moves the pages of managed memory;
# those that are on a GPU are absent to this kernel.
_IN_THIS_PROCESS = {"CPU", "CUDAHost", "ROCMHost", "CUDAManaged"}
_ASKED: dict[str, Any] = {"max_version": (1, 0), "copy": False}
_REMEDY = "pass the object that holds the data"


def exported_memory(obj: object) -> Memory | None:
    """Return the memory of an object that describes it through DLPack alone.

    Return None if the object does not speak DLPack, or also has a buffer or an array interface.

    Raises
    ------
    TypeError, ValueError
        The memory is on a device, is a copy, or is not described as DLPack requires.
    """
    if isinstance(obj, type) or getattr(obj, "__dlpack__", None) is None:
        return None
    if _speaks_otherwise(obj):
        return None
    _refuse_devices(obj, *_device(obj))
    memory = _export(obj)
    # If each call exports a new copy, two copies that are kept at once are in different places.
    if _layout(_export(obj)) != _layout(memory):
        raise moves_about(obj, "__dlpack__", _REMEDY)
    return memory


def _speaks_otherwise(obj: Any) -> bool:
    with contextlib.suppress(TypeError, ValueError, BufferError), memoryview(obj):
        return True
    return not hasattr(obj, "__dlpack_device__") or any(hasattr(obj, name) for name in NAMES)


def _device(obj: Any) -> tuple[int, int]:
    told = obj.__dlpack_device__()
    try:
        kind, number = told
        return operator.index(kind), operator.index(number)
    except (TypeError, ValueError):
        raise TypeError(
            f"__dlpack_device__ of this {type(obj).__name__}: expected two ints, got {told!r}"
        ) from None


def _refuse_devices(obj: object, kind: int, number: int) -> None:
    name = _DEVICES.get(kind, f"of type {kind}")
    if name not in _IN_THIS_PROCESS:
        raise TypeError(
            f"this {type(obj).__name__} is on device {name}:{number}, not in this process's "
            "memory; pass an object whose data are on the CPU"
        )


def _export(obj: object) -> Memory:
    kind = type(obj).__name__
    try:
        capsule = _capsule(obj)
    except BufferError as error:
        raise TypeError(f"__dlpack__ of this {kind} refuses: {error}") from error
    try:
        found = _core.dlpack_memory(capsule)
    except (TypeError, ValueError) as error:
        raise type(error)(f"__dlpack__ of this {kind}: {error}") from None
    address, shape, strides, itemsize, owner, device, number, is_copy = found
    _refuse_devices(obj, device, number)
    if is_copy:
        raise TypeError(
            f"__dlpack__ of this {kind} exports a copy, and the object's own memory is "
            f"elsewhere; {_REMEDY}"
        )
    return Memory(address, shape, strides, itemsize, owner)


def _capsule(obj: Any) -> object:
    export = obj.__dlpack__
    takes = _takes_arguments(export)
    if takes:
        return export(**_ASKED)
    if takes is None:
        # A TypeError for another reason comes again.
        with contextlib.suppress(TypeError):
            return export(**_ASKED)
    return export()


def _takes_arguments(function: Callable[..., object]) -> bool | None:
    """Return whether `function` takes these arguments; None if its signature is unknown."""
    try:
        inspect.signature(function).bind(**_ASKED)
    except TypeError:
        return False
    except ValueError:
        return None
    return True


def _layout(memory: Memory) -> tuple[object, ...]:
    return memory.address, memory.shape, memory.strides, memory.itemsize
