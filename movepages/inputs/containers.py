"""Members of lists, tuples, mappings and dataclasses; values that hold no memory."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import enum
import numbers
import os
import re
import types
from collections import OrderedDict, UserList, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import numpy as np

from ..pages.named import key_name

# Values in a container that hold nothing to move.
VALUES = (
    *(str, numbers.Number, type(None), np.generic, np.dtype, type, slice, range, os.PathLike),
    *(datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo, enum.Enum, re.Pattern),
    *(types.FunctionType, types.BuiltinFunctionType, np.ufunc),
)
_VIEWS: tuple[type, ...] = type({}.values()), type(OrderedDict().values())
# A subclass that overrides this method may return copies.
_ITEMS: tuple[object, ...] = dict.items, OrderedDict.items
_IN_ORDER = (list, tuple, deque, UserList, *_VIEWS)


def container_members(obj: object) -> Iterator[tuple[str, object]] | None:
    """Return the members of a container with their names; None if `obj` is no container."""
    if isinstance(obj, tuple) and hasattr(obj, "_fields"):
        return zip(cast(Any, obj)._fields, obj, strict=True)
    if isinstance(obj, _IN_ORDER):
        return ((f"[{index}]", each) for index, each in enumerate(cast(Iterable[object], obj)))
    if isinstance(obj, dict) and type(obj).items in _ITEMS:
        return ((key_name(key), each) for key, each in obj.items())
    if isinstance(obj, Mapping):
        return _held_values(obj)
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
        # A field that nobody has set yet holds nothing.
        names = (each.name for each in dataclasses.fields(obj))
        return ((name, getattr(obj, name)) for name in names if hasattr(obj, name))
    return None


def plain_members(parent: str, obj: object) -> tuple[Iterable[str], tuple[object, ...]] | None:
    """Return the names and members of a list, tuple or dict; None for what else may run code."""
    if type(obj) in (list, tuple):
        # Another thread may change a list meanwhile.
        members = tuple(cast(Iterable[object], obj))
        return (f"{parent}[{index}]" for index in range(len(members))), members
    if type(obj) is dict:
        items = tuple(obj.items())
        if all(type(key) in (str, int) for key, _ in items):
            names = (join_names(parent, key_name(key)) for key, _ in items)
            return names, tuple(each for _, each in items)
    return None


def _held_values(mapping: Mapping[Any, Any]) -> Iterator[tuple[str, object]]:
    """Yield the values with their names; raise if an array is a copy, such as one just read."""
    for key, value in mapping.items():
        yield key_name(key), value
        # Asking for other values again may take long, and shows nothing.
        if not isinstance(value, np.ndarray) and container_members(value) is None:
            continue
        again = value
        with contextlib.suppress(KeyError):
            again = mapping[key]
        if again is not value and [*_arrays_in(value)] != [*_arrays_in(again)]:
            raise TypeError(
                f"{key_name(key)} of this {type(mapping).__name__} is at another address each time "
                "it is asked for: it is a copy; keep the arrays, as in d = dict(...), and pass d"
            )


def _arrays_in(value: object, above: tuple[int, ...] = ()) -> Iterator[int]:
    """Yield the address of an array, or of each array in a container."""
    if isinstance(value, np.ndarray):
        if value.nbytes:
            yield value.ctypes.data
        return
    members = None if id(value) in above else container_members(value)
    for _, each in members or ():
        yield from _arrays_in(each, (*above, id(value)))


def join_names(parent: str, name: str) -> str:
    """Return the name of a member of a member: ``layers.0``, ``df['price']``, ``arrays[2]``."""
    return f"{parent}{name}" if not parent or name.startswith("[") else f"{parent}.{name}"
