"""Find the bytes that an object's memory occupies, without copying or reading them."""

from __future__ import annotations

import ctypes
import mmap
import operator
import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .array_interface import exposed_array, moves_about
from .dlpack import exported_memory
from .footprint import Footprint
from .memory import Memory
from .unsupported import unsupported

__all__ = ["Region", "footprint_of", "located"]

# Objects of these types are known to expose their own memory, not a copy.
_STEADY = (bytes, bytearray, memoryview, mmap.mmap)
# Far above what five-level page tables reach (57 bits); sums over all pages still fit 64 bits.
_MOST_BYTES = 1 << 62


@dataclass(frozen=True)
class Region:
    """A range of addresses in this process or another.

    Parameters
    ----------
    address : int
        Address of the first byte.
    nbytes : int
        Length in bytes; 0 is allowed.
    pid : int, default 0
        The process that the addresses belong to; 0 for the caller. The number of the calling
        process, or of one of its threads, is stored as given. It has the same effect as 0.

    Raises
    ------
    TypeError, ValueError
        A value is not a whole number, the range extends beyond 64 bits, or the length is 2**62
        bytes or more, which no process can map. The range does not have to be mapped, and the
        process does not have to exist, until the region is used.

    Examples
    --------
    >>> a = np.ones(1000)
    >>> where(Region(a.ctypes.data, a.nbytes)) == where(a)
    True
    """

    address: int
    nbytes: int
    pid: int = 0

    def __post_init__(self) -> None:
        for name, bound in (("address", 2**64), ("nbytes", 2**64), ("pid", 2**31 - 1)):
            value = getattr(self, name)
            if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__index__"):
                raise TypeError(
                    f"Region {name} must be an int, got {value!r} of type {type(value).__name__}"
                )
            value = operator.index(value)
            # The class is frozen, but a numpy integer must not stay: later sums could overflow.
            object.__setattr__(self, name, value)
            if not 0 <= value <= bound:
                raise ValueError(f"Region {name} must be from 0 to {bound}, got {value}")
        if self.address + self.nbytes > 2**64:
            raise ValueError(
                f"Region must end at or below 2**64, got address {self.address:#x} + "
                f"{self.nbytes} bytes; check that nbytes counts from address"
            )
        if self.nbytes >= _MOST_BYTES:
            raise ValueError(
                f"Region nbytes must be below 2**62, got {self.nbytes}: no process can map so "
                "much; pass ranges that it has mapped, as process(pid).regions() lists them"
            )


def footprint_of(obj: object, *, page_size: int = mmap.PAGESIZE) -> Footprint:
    """Return the bytes that an object occupies.

    Nothing is copied and the memory is not read, so absent pages stay absent. The object is not
    kept alive or locked; the result is valid for as long as the memory stays where it is.

    Parameters
    ----------
    obj : object
        A numpy array of any kind (a masked array stands for its data, an object array for its
        pointers), an object with the buffer protocol, ``__array_interface__``,
        ``__array_struct__`` or DLPack, a SharedMemory, a `Region`, or a `Footprint`, which is
        returned as it is.
    page_size : int, optional
        The page size to count with; the system's by default.

    Raises
    ------
    TypeError
        If the object does not say where its memory is.
    ValueError
        If the memory is gone (a released memoryview, a closed mmap), or its strides interleave.
    """
    return located(obj, page_size)[1]


def located(obj: object, page_size: int = mmap.PAGESIZE) -> tuple[object, Footprint]:
    """Return what layouts look at, `Memory` for what speaks DLPack alone, and its bytes.

    Raises
    ------
    TypeError, ValueError
        As `footprint_of`.
    """
    described = isinstance(obj, (Footprint, Region, np.ndarray, Memory))
    found = obj if described else exported_memory(obj) or obj
    return found, _footprint(found, page_size)


def _footprint(obj: object, page_size: int) -> Footprint:
    if isinstance(obj, Footprint):
        return replace(obj, pid=0) if obj.pid and _core.is_own(obj.pid) else obj
    if isinstance(obj, Region):
        # Check at each use: after a fork, the same pid is the parent's.
        pid = 0 if _core.is_own(obj.pid) else obj.pid
        return Footprint(obj.address, obj.nbytes, (), page_size, pid)
    if isinstance(obj, np.ndarray):
        return _of_array(obj, page_size)
    if isinstance(obj, Memory):
        return Footprint.from_strides(
            obj.address, obj.shape, obj.strides, obj.itemsize, page_size=page_size
        )
    _refuse_values(obj)
    # A caller with a SharedMemory has imported its module. Do not import it for others.
    shared_memory = sys.modules.get("multiprocessing.shared_memory")
    if shared_memory is not None and isinstance(obj, shared_memory.SharedMemory):
        if obj.buf is None:
            raise _gone(obj)
        return _of_buffer(obj.buf, page_size)
    try:
        view = memoryview(obj)  # type: ignore[arg-type]
    except TypeError:
        array = exposed_array(obj)
        if array is None:
            raise unsupported(obj) from None
        return _of_array(array, page_size)
    except (ValueError, BufferError) as err:
        raise _gone(obj) from err
    with view:
        if not isinstance(obj, _STEADY):
            _refuse_copies(obj, view)
        return _of_buffer(view, page_size)


def _of_array(array: npt.NDArray[Any], page_size: int) -> Footprint:
    if array.flags.c_contiguous:
        return Footprint(array.ctypes.data, array.nbytes, (), page_size)
    return Footprint.from_strides(
        array.ctypes.data, array.shape, array.strides, array.itemsize, page_size=page_size
    )


def _of_buffer(view: memoryview, page_size: int) -> Footprint:
    if view.suboffsets:
        raise TypeError(
            "expected a strided buffer, got one with suboffsets: its parts lie behind pointers; "
            "pass the parts"
        )
    shape, strides = view.shape or (), view.strides or ()
    address = _core.buffer_address(view)
    return Footprint.from_strides(address, shape, strides, view.itemsize, page_size=page_size)


def _refuse_values(obj: object) -> None:
    kind = type(obj).__name__
    if isinstance(obj, np.generic):
        raise TypeError(
            f"got a numpy scalar ({kind}), which is a value and not a place in an array; "
            "pass a slice of the array, such as a[i:i+1]"
        )
    if isinstance(obj, (ctypes._Pointer, ctypes.c_void_p, ctypes.c_char_p)):
        raise TypeError(
            f"got a ctypes pointer ({kind}), which does not say how many bytes it points to; "
            "pass Region(address, nbytes)"
        )


def _refuse_copies(obj: object, view: memoryview) -> None:
    """Raise if each request makes a new buffer: two that are open at once then differ."""
    with memoryview(obj) as again:  # type: ignore[arg-type]
        if _core.buffer_address(again) != _core.buffer_address(view):
            raise moves_about(obj, "the buffer")


def _gone(obj: object) -> ValueError:
    return ValueError(
        f"the memory of this {type(obj).__name__} is not accessible: it is released or closed; "
        "pass it while it is open"
    )
