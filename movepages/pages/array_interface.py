"""Objects that tell by an attribute where their memory is: how to see whether they really do."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import numpy.typing as npt

# Up to here numpy, and up to half of it Python, keep free memory of each size apart.
_SMALL = 1024
# Above this the C library maps memory for each array (mallopt(3), DEFAULT_MMAP_THRESHOLD_MAX).
_MAPPED = 1 << 25
_PLACES, _MAPPINGS = 16, 4
_NAMES = ("__array_struct__", "__array_interface__")
_REMEDY = "pass the array which holds the data, or keep np.asarray(obj) and pass that"


class _Holder:
    """Has one attribute that numpy asks for."""


def exposed_array(obj: object) -> npt.NDArray[Any] | None:
    """Return the memory of an object as an array, without copying or reading it.

    None if it has no such attribute.

    Raises
    ------
    TypeError
        The attribute is no address, or another one whenever it is asked for.
    """
    if isinstance(obj, type):
        return None
    for name in _NAMES:
        told = getattr(obj, name, None)
        if told is None:
            continue
        found = _as_array(obj, name, told)
        # A copy that nobody keeps is gone by now. What is made in the place where it was would be
        # taken for it, so that place is kept from being used again. Twice, because garbage that is
        # collected meanwhile leaves more places than are taken at once.
        taken: list[object] = []
        for _ in range(2):
            taken += _fill_holes(found.nbytes)
            again = _as_array(obj, name, getattr(obj, name, None))
            if _layout(found) != _layout(again):
                raise moves_about(obj, name)
            del again
        return found
    return None


def _fill_holes(nbytes: int) -> list[object]:
    """Take the places that numpy and Python would use next for so many bytes."""
    small: list[int] = []
    if nbytes <= _SMALL:
        # A small one may be within an object, which is larger; a bytearray takes a byte more.
        around = list(range(max(nbytes - 1, 0), nbytes + 80, 16))
        small = [*range(8, 512, 16), *around * 8]
    # The C library may know several places for larger ones, and takes the tightest first.
    large = [nbytes] * (_PLACES if nbytes <= _MAPPED else _MAPPINGS)
    taken: list[Any] = [*small, *large]
    # Nothing is freed from here on, because its place would be used next.
    try:
        for index, size in enumerate(taken):
            taken[index] = bytearray(size) if index < len(small) else np.empty(size, np.uint8)
    except (MemoryError, ValueError):
        pass
    return taken


def _as_array(obj: object, name: str, told: object) -> npt.NDArray[Any]:
    if isinstance(told, dict):
        # What is looked at is what numpy is given.
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
    """Refuse bytes, which are made for the occasion: what they were made from is elsewhere."""
    if isinstance(data, tuple):
        return
    found = data
    with contextlib.suppress(TypeError, ValueError), memoryview(data) as view:  # type: ignore[arg-type]
        found = view.obj
    if isinstance(found, bytes):
        raise TypeError(
            f"__array_interface__ of this {type(obj).__name__} has a copy as its data (bytes, and "
            f"no address), which is not where its memory is; {_REMEDY}"
        )


def _layout(array: npt.NDArray[Any]) -> tuple[object, ...]:
    return array.ctypes.data, array.shape, array.strides, array.itemsize


def moves_about(obj: object, name: str) -> TypeError:
    """Return the error for an object that has another address each time it is asked."""
    return TypeError(
        f"{name} of this {type(obj).__name__} is at another address each time it is asked for: it "
        f"makes a copy, and its own memory is elsewhere; {_REMEDY}"
    )


def _no_address(obj: object, name: str) -> TypeError:
    return TypeError(
        f"{name} of this {type(obj).__name__} gives no usable address: expected data of "
        f"(address, read_only), or an object with the buffer protocol; {_REMEDY}"
    )
