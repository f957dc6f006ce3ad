"""From whatever exposes memory to the bytes it occupies, without copying or reading them."""

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
from .footprint import Footprint

__all__ = ["Region", "footprint_of"]

# Of these it is known that their buffer is where their memory is.
_STEADY = (bytes, bytearray, memoryview, mmap.mmap)
_EXPECTED = (
    "expected something which exposes its memory: a numpy array, memoryview, bytearray, mmap, "
    "SharedMemory, array.array, any other object with the buffer protocol or "
    "__array_interface__, or Region(address, nbytes)"
)


# Four times what page tables of five levels reach; sums of all pages fit 64 bits.
_MOST_BYTES = 1 << 62


@dataclass(frozen=True)
class Region:
    """A range of addresses, of this process or another.

    Parameters
    ----------
    address : int
        Address of the first byte.
    nbytes : int
        Length; 0 is allowed.
    pid : int, default 0
        The process whose addresses these are; 0 for the caller. The number of the caller, or of
        one of its threads, is kept here and means the same as 0 whenever the region is used.

    Raises
    ------
    TypeError, ValueError
        No whole numbers, a range that is beyond 64 bits, or 2**62 bytes or more, which is more
        than any process can map. Whether something is mapped there, and
        whether there is such a process, is asked when it is looked at.

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
            # Frozen, yet a numpy integer must not overflow in later sums.
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
                f"Region nbytes must be below 2**62, got {self.nbytes}, and no process can map so "
                "much; pass the ranges that it has, such as process(pid).regions() lists"
            )


def footprint_of(obj: object, *, page_size: int = mmap.PAGESIZE) -> Footprint:
    """Tell which bytes an object occupies.

    Nothing is copied, and the memory is not read: absent pages stay absent. The object is not
    kept alive or locked; the answer is good for as long as its memory stays where it is.

    Parameters
    ----------
    obj : object
        A numpy array of any kind (of a masked array the data, of an object array the pointers),
        anything with the buffer protocol, ``__array_interface__`` or ``__array_struct__``, a
        SharedMemory, a `Region`, or a `Footprint`, which is returned as it is.
    page_size : int, optional
        The page size to count with; the system's by default.

    Raises
    ------
    TypeError
        If the object does not say where its memory is.
    ValueError
        If the memory is gone (a released memoryview, a closed mmap), or its strides interleave.
    """
    if isinstance(obj, Footprint):
        return replace(obj, pid=0) if obj.pid and _core.is_own(obj.pid) else obj
    if isinstance(obj, Region):
        # By now, as after a fork the same number is that of the parent.
        pid = 0 if _core.is_own(obj.pid) else obj.pid
        return Footprint(obj.address, obj.nbytes, (), page_size, pid)
    if isinstance(obj, np.ndarray):
        return _of_array(obj, page_size)
    _refuse_values(obj)
    # Who has a SharedMemory has imported its module; nobody else should pay for that import.
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
            raise _unsupported(obj) from None
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
            "a buffer with suboffsets is scattered behind pointers, not strided: pass its parts"
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
    """Refuse what makes a buffer for whoever asks: both of two are here at once."""
    with memoryview(obj) as again:  # type: ignore[arg-type]
        if _core.buffer_address(again) != _core.buffer_address(view):
            raise moves_about(obj, "the buffer")


def _gone(obj: object) -> ValueError:
    return ValueError(
        f"the memory of this {type(obj).__name__} cannot be looked at: it is released or closed; "
        "pass it while it is open"
    )


def _unsupported(obj: object) -> TypeError:
    if hasattr(obj, "__cuda_array_interface__"):
        hint = "its memory is a device's, which move_pages(2) cannot reach"
    elif hasattr(obj, "__array__"):
        hint = (
            "it offers __array__ only, which may copy: pass .to_numpy(), .numpy() or "
            "np.asarray(obj) yourself if that shares memory"
        )
    elif isinstance(obj, (list, tuple)):
        hint = "its elements are scattered over the heap: pass each array, or make one array of it"
    elif isinstance(obj, int):
        hint = "an address needs a length: pass Region(address, nbytes)"
    else:
        hint = "pass the object which holds the memory"
    return TypeError(f"got {type(obj).__name__}; {_EXPECTED}; {hint}")
