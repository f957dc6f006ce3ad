"""Members of arrays of Python objects: the pointers, the objects, and arrays among them."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from ..pages.memory import Memory
from ..pages.named import key_name
from ..pages.pieces import Pieces
from .containers import VALUES, container_members, join_names
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


def record_members(array: npt.NDArray[Any]) -> Iterator[tuple[str, object]]:
    """Yield the members of a structured array that has fields of objects.

    Yields
    ------
    name, member
        ``records``: the array's elements, pointers among them. ``field.objects``, ``field[3]``:
        what the pointers of a field lead to, as in `object_members`.
    """
    yield "records", Memory(array.ctypes.data, array.shape, array.strides, array.itemsize, array)
    yield from _behind_fields(np.asarray(array))


def _behind_fields(array: npt.NDArray[Any]) -> Iterator[tuple[str, object]]:
    for name in array.dtype.names or ():
        field = array[name]
        if field.dtype.names:
            inside = _behind_fields(field)
        elif field.dtype.hasobject:
            # The pointers are within the records.
            inside = islice(object_members(field), 1, None)
        else:
            continue
        for below, member in inside:
            yield join_names(key_name(name), below), member


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
