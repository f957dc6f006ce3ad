"""Members of arrays of Python objects: the pointers, the objects, and arrays among them."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from ..pages.memory import Memory
from ..pages.pieces import Pieces
from .containers import VALUES, container_members
from .registry import adapter_for

# Elements that are looked at together.
_PORTION = 1 << 16
_INTERFACES = ("__array_interface__", "__array_struct__", "__dlpack__")


def object_members(array: npt.NDArray[Any]) -> Iterator[tuple[str, object]]:
    """Yield the members of an array of dtype object.

    The pointers, and the objects behind them, are read. Equal pointers count once. Objects that all
    of Python shares are left out: None, booleans, integers from -5 to 256, strings of one Latin-1
    character.

    Yields
    ------
    name, member
        ``pointers``: the array's elements. ``objects``: all values together, such as strings and
        numbers. ``[3]``: an element that is an array or container.
    """
    yield "pointers", Memory(array.ctypes.data, array.shape, array.strides, array.itemsize, array)
    inside: dict[type, bool] = {}
    begins, lengths, members = [np.empty(0, np.uintp)], [np.empty(0, np.int64)], []
    elements = np.asarray(array).flat
    values = False
    # Signals are handled between portions, which also bound the memory that is needed beside the
    # result.
    for low in range(0, array.size, _PORTION):
        portion = elements[low : low + _PORTION].tolist()
        for kind, element in {type(element): element for element in portion}.items():
            inside.setdefault(kind, _has_members(element))
        if any(map(inside.__getitem__, set(map(type, portion)))):
            pairs = list(enumerate(portion, low))
            members += [(f"[{index}]", each) for index, each in pairs if inside[type(each)]]
            portion = [each for each in portion if not inside[type(each)]]
        values = values or bool(portion)
        begin, nbytes = Pieces(*_core.object_blocks(portion), (), mmap.PAGESIZE).intervals
        begins.append(begin)
        lengths.append(nbytes)
    if values:
        address, nbytes = np.concatenate(begins), np.concatenate(lengths)
        del begins, lengths
        yield "objects", Pieces(address, nbytes, (), mmap.PAGESIZE)
    yield from members


def _has_members(element: object) -> bool:
    """Tell whether objects of a class are arrays or containers, by one of them."""
    if isinstance(element, (*VALUES, bytes)):
        return False
    kind = type(element)
    if (
        container_members(element) is not None
        or any(hasattr(kind, name) for name in _INTERFACES)
        or adapter_for(kind) is not None
    ):
        return True
    try:
        with memoryview(element):  # type: ignore[arg-type]
            return True
    except TypeError:
        return False
    except (ValueError, BufferError):
        # A buffer that is closed: the element is refused by its name.
        return True
