"""memory_of(): the memory of any object, as one array or as named members."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np

from ..pages.buffers import Region, footprint_of, located
from ..pages.footprint import Footprint
from ..pages.memory import Memory
from ..pages.named import naming
from ..pages.page_set import PageSet
from ..pages.pieces import Pieces
from .containers import VALUES, container_members, join_names, plain_members
from .members import MemberList, Members, members_of_list
from .registry import NoMemoryError, adapter_for

_ONE_MEMORY = (np.ndarray, Memory, Region, Footprint, Pieces, memoryview, bytearray, bytes)
# Containers that lead to each other, or make new ones, would never end.
_MOST_LEVELS, _MOST_LOOKS = 10_000, 4_000_000
_END = object()
_PACKAGE = f"{__name__.partition('.')[0]}."


def memory_of(obj: object) -> tuple[object, PageSet]:
    """Return what layouts look at, and the bytes and pages that an object occupies.

    Nothing is copied and no memory is read.

    Parameters
    ----------
    obj : object
        As for `where`.

    Returns
    -------
    array : object
        The array, buffer or `Region` that is the object's memory; `Members` if it has several.
    pages : PageSet
        The bytes of the array, or of all members together.

    Raises
    ------
    TypeError, ValueError
        The object, or one of its members, does not say where its memory is; or all members are
        values such as strings. An empty container is no error: it has no bytes.
    """
    # The most common case takes the shortest way.
    if type(obj) is np.ndarray and not obj.dtype.hasobject:
        return obj, footprint_of(obj)
    inside = _inside(obj)
    if isinstance(inside, _Single):
        # The objects of an array of objects are one memory, in many pieces of the heap.
        if isinstance(inside.array, Pieces):
            return inside.array, inside.array
        return located(inside.array)
    members = _collect(obj, inside)
    return members, members.footprints.pieces


class _Single(NamedTuple):
    """An object that is one memory."""

    array: object


def _inside(obj: object) -> _Single | Iterator[tuple[str, object]]:
    """Return the one array of an object, or its members with their names."""
    adapter = adapter_for(type(obj))
    if adapter is None:
        if isinstance(obj, _ONE_MEMORY):
            return _Single(obj)
        if str(type(obj).__module__).startswith(_PACKAGE):
            raise TypeError(f"got {type(obj).__name__}, {_instead_of(type(obj).__name__)}")
        return container_members(obj) or _Single(obj)
    found = adapter(obj)
    if isinstance(found, Mapping):
        found = container_members(found)
    if found is obj or isinstance(found, _ONE_MEMORY):
        return _Single(found)
    if not isinstance(found, Iterable):
        raise TypeError(
            f"the function for the members of a {type(obj).__name__} must yield (name, object) "
            f"pairs or return an array, got a {type(found).__name__}"
        )
    return iter(cast(Iterable[tuple[str, object]], found))


def _instead_of(name: str) -> str:
    if name == "Process":
        return "which has methods of its own: process(pid).where() and process(pid).move(node)"
    return "which describes memory; pass the memory itself, and a layout after it: move(a, layout)"


def _collect(obj: object, inside: Iterator[tuple[str, object]]) -> Members:
    """Collect the members of members of an object, to any depth."""
    if type(obj) in (list, tuple) and adapter_for(type(obj)) is None:
        arrays = members_of_list(cast(Sequence[object], obj), type(obj).__name__)
        if arrays is not None:
            return arrays
    found = MemberList()
    if type(obj) is dict and _add_at_once(found, "", obj):
        return found.finish("dict")
    # Each container on the way down.
    path, looks, values = [_Level("", obj, inside)], 0, 0
    while path:
        with naming(path[-1].name):
            pair: object = next(path[-1].rest, _END)
        if pair is _END:
            path.pop()
            continue
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
            raise TypeError(
                f"the members of a {type(path[-1].holder).__name__} must be (name, object) pairs "
                f"with names of type str, got a {type(pair).__name__}"
            )
        looks += 1
        if looks > _MOST_LOOKS:
            raise TypeError(
                f"looked at more than {_MOST_LOOKS:,} members of members, which are too many or "
                "lead to each other; pass a list of the arrays"
            )
        if isinstance(pair[1], VALUES):
            values += 1
            continue
        name = join_names(path[-1].name, pair[0])
        below = _add(found, name, pair[1])
        # What contains itself adds nothing new the second time.
        if below is not None and all(level.holder is not below.holder for level in path):
            path.append(below)
        if len(path) > _MOST_LEVELS:
            raise TypeError(f"got members of members in more than {_MOST_LEVELS:,} levels")
    if values and not len(found):
        raise NoMemoryError(obj, ": all that it has are values, such as numbers and strings")
    return found.finish(type(obj).__name__)


def _add(found: MemberList, name: str, obj: object) -> _Level | None:
    """Add a member, or return its own members."""
    with naming(name):
        if _add_at_once(found, name, obj):
            return None
        try:
            inside = _inside(obj)
        except NoMemoryError:
            return None
        if not isinstance(inside, _Single):
            return _Level(name, obj, inside)
        found.add(name, inside.array)
    return None


def _add_at_once(found: MemberList, name: str, obj: object) -> bool:
    """Add the arrays of a container that has nothing else, and return whether it is one."""
    plain = plain_members(name, obj)
    return plain is not None and adapter_for(type(obj)) is None and found.add_all(*plain)


class _Level(NamedTuple):
    """A container on the way to a member."""

    name: str
    holder: object
    rest: Iterator[tuple[str, object]]
