"""Find the memory of objects with an array interface, and check that it is their own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

# numpy keeps a free list for each size up to this many bytes, Python up to half as many.
_SMALL = 1024
# Allocations of one size that are taken at once; fewer large ones, for these reserve memory.
_PLACES, _MOST_BYTES = 16, 1 << 26
NAMES = ("__array_struct__", "__array_interface__")
_REMEDY = "pass the array that holds the data, or keep np.asarray(obj) and pass that"


class _PythonMemory:
    """Untouched memory from Python's own allocator, freed with the object."""

    # An interrupt may come before there is any.
    _address: int | None = None

    def __init__(self, nbytes: int) -> None:
        self._address = _py_malloc(nbytes)

    def __del__(self) -> None:
        _py_free(self._address)


_py_malloc = ctypes.pythonapi["PyMem_Malloc"]
_py_malloc.argtypes, _py_malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
_py_free = ctypes.pythonapi["PyMem_Free"]
_py_free.argtypes, _py_free.restype = [ctypes.c_void_p], None


# Python takes large memory from the C library, as numpy does, except where its allocator is
# mimalloc: in free-threaded builds. Allocators for debugging would write to all of it.
_HOLDS_LARGE = (
    "t" in sys.abiflags
    and not sys.flags.dev_mode
    and not os.environ.get("PYTHONMALLOC", "").endswith("debug")
)


class _Holder:
    """Holds the one attribute that numpy asks for."""


def exposed_array(obj: object) -> npt.NDArray[Any] | None:
    """Return the memory of an object as an array, without copying or reading it.

    Return None if the object has no array interface attribute.

    Raises
    ------
    TypeError
        The attribute gives no usable address, or another address each time it is read.
    """
    if isinstance(obj, type):
        return None
    for name in NAMES:
        told = getattr(obj, name, None)
        if told is None:
            continue
        found = _as_array(obj, name, told)
        # If the attribute made a copy, that copy is freed by now. A second copy in the same place
        # would look like the same memory, so occupy that place before asking again. Try twice:
        # garbage collected meanwhile can free more places than one round occupies.
        taken: list[object] = []
        for _ in range(2):
            taken += _fill_holes(found.nbytes)
            again = _as_array(obj, name, getattr(obj, name, None))
            if _layout(found) != _layout(again):
                # The traceback would keep what was taken.
                taken.clear()
                raise moves_about(obj, name)
            del again
        return found
    return None


def _fill_holes(nbytes: int) -> list[object]:
    """Occupy the places that numpy and Python would use next for this many bytes."""
    small: list[int] = []
    if nbytes <= _SMALL:
        # A small copy may lie within a larger object. A bytearray takes one byte more.
        around = list(range(max(nbytes - 1, 0), nbytes + 80, 16))
        small = [*range(8, 512, 16), *around * 8]
    # For larger sizes the C library may know several free places; it uses the tightest first.
    large = [nbytes] * min(_PLACES, max(_MOST_BYTES // max(nbytes, 1), 1))
    taken: list[Any] = [*small, *large]
    # From here on, free nothing: its place would be used next.
    try:
        for index, size in enumerate(taken):
            if index < len(small):
                taken[index] = bytearray(size)
            else:
                python = _PythonMemory(size) if _HOLDS_LARGE else None
                taken[index] = np.empty(size, np.uint8), python
    except (MemoryError, ValueError):
        pass
    return taken


def _as_array(obj: object, name: str, told: object) -> npt.NDArray[Any]:
    if isinstance(told, dict):
        # Copy the dict, so that numpy gets the values that are checked here.
        told = dict(told)
        _refuse_values(obj, told.get("data"))
    # Offer numpy this attribute alone: given obj, it could fall back to __array__ and copy.
    holder = _Holder()
    setattr(holder, name, told)
    try:
        array = np.asarray(holder)
    except (TypeError, ValueError, AttributeError) as err:
        raise _no_address(obj, name) from err
    if array.base is None or (array.nbytes and not array.ctypes.data):
        raise _no_address(obj, name)
    return array


def _refuse_values(obj: object, data: object) -> None:
    """Raise if the data are bytes: these are a copy, and the object's own memory is elsewhere."""
    if isinstance(data, tuple):
        return
    found = data
    with contextlib.suppress(TypeError, ValueError), memoryview(data) as view:  # type: ignore[arg-type]
        found = view.obj
    if isinstance(found, bytes):
        raise TypeError(
            f"__array_interface__ of this {type(obj).__name__} has a copy as its data (bytes, not "
            f"an address), and its own memory is elsewhere; {_REMEDY}"
        )


def _layout(array: npt.NDArray[Any]) -> tuple[object, ...]:
    return array.ctypes.data, array.shape, array.strides, array.itemsize


def moves_about(obj: object, name: str, remedy: str = _REMEDY) -> TypeError:
    """Return the error for an object that gives another address each time it is asked."""
    return TypeError(
        f"{name} of this {type(obj).__name__} is at another address each time it is asked for: "
        f"it is a copy, and the object's own memory is elsewhere; {remedy}"
    )


def _no_address(obj: object, name: str) -> TypeError:
    return TypeError(
        f"{name} of this {type(obj).__name__} gives no usable address: expected data of "
        f"the form (address, read_only), or an object with the buffer protocol; {_REMEDY}"
    )
