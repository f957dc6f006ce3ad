"""Which of the targets in a mapping each member gets, by its name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..inputs.containers import join_names
from ..pages.named import key_name, shown
from ..results.placements import Placements


def members_by_target(
    given: Mapping[Any, Any], names: Mapping[str, int]
) -> list[tuple[Any, list[int]]]:
    """Return each target of a mapping with the indices of the members that it is for.

    A member gets the target of the longest name that it begins with, or else that of the key
    ``...``.

    Parameters
    ----------
    given : mapping
        Targets by the name, or by the beginning of the name, or by the key of members.
    names : mapping of str to int
        Index of each member by its name.

    Raises
    ------
    ValueError
        A member has no target, a target has no member, or a name can mean several members.
    """
    targets = _of_part(given, names) if isinstance(given, Placements) else _of_keys(given, names)
    below: dict[object, list[int]] = {}
    for name, index in names.items():
        key = next((begin for begin in _beginnings(name) if begin in targets), ...)
        if key not in targets:
            raise ValueError(
                f"target: no target for the member {name!r}; expected one for each member, or for "
                "what it belongs to, or one for all others, with the key ...; the mapping has "
                f"{_shortlist(targets)}"
            )
        if key in names and name.startswith(f"{key}#"):
            raise ValueError(
                f"target: the name {key!r} can mean several members, {key!r} and {name!r} among "
                "them; give each its own target"
            )
        below.setdefault(key, []).append(index)
    if unused := [key for key in targets if key not in below and key is not ...]:
        raise ValueError(
            f"target: no member is named {unused[0]!r}; the memory to move has {_shortlist(names)}"
        )
    return [(targets[key], indices) for key, indices in below.items()]


def _of_keys(given: Mapping[Any, Any], names: Mapping[str, int]) -> dict[object, Any]:
    """Return the targets by the names that their keys stand for."""
    known = {begin for name in names for begin in _beginnings(name)}
    targets: dict[object, Any] = {}
    keys: dict[object, object] = {}
    for key, target in given.items():
        name = key if key is ... else _as_name(key, known)
        if name in targets:
            raise ValueError(
                f"target: the keys {shown(keys[name])} and {shown(key)} both name the member "
                f"{name!r}; pass one of them"
            )
        targets[name], keys[name] = target, key
    return targets


def _as_name(key: object, known: set[str]) -> str:
    """Return a name for a name, or for the key of a member such as 0 or "a b"."""
    name = key_name(key)
    if not isinstance(key, str) or key not in known:
        return name
    if name != key and name in known:
        raise ValueError(
            f"target: the name {key!r} can mean two members: {key!r}, and {name!r}, of which it is "
            f"the key; pass the name {name!r} for the latter, and the key of the former"
        )
    return key


def _of_part(placements: Placements, names: Mapping[str, int]) -> dict[object, Any]:
    """Return placements by name; those of a part, as `below` returns them, fit the part alone."""
    own, here = list(placements), list(names)
    if own and here and own[0].endswith(here[0]):
        above = own[0].removesuffix(here[0]).removesuffix(".")
        if [join_names(above, name) for name in here] == own:
            return {name: placements[full] for name, full in zip(here, own, strict=True)}
    return dict(placements)


def _beginnings(name: str) -> Iterator[str]:
    """Yield a name and the names of all that the member belongs to, the longest first."""
    end = len(name)
    while end > 0:
        yield name[:end]
        end = max(name.rfind(mark, 0, end) for mark in ".[#")


def _shortlist(names: Iterable[object]) -> str:
    """Return some names, to be read in an error."""
    listed = ["..." if name is ... else repr(name) for name in names]
    if not listed:
        return "none"
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5:,} others" if len(listed) > 5 else "")
