"""Targets of several members at once: each by itself, by name, or all as one sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..inputs.members import Members
from ..pages.footprint import Footprint
from ..pages.named import naming
from ..pages.page_set import PageSet
from ..results.placement import Placement
from ..results.placements import Placements
from .member_names import members_by_target
from .member_pattern import MemberPattern
from .patterns import Pattern
from .rotation import rotation_over
from .shifted import Shifted
from .targets import Layout, MoveTarget, OneNode, Target, as_target

# A target for each member, by its name or by the name of what it belongs to, or with the key ...
# for all others.
MemberTarget: TypeAlias = "MoveTarget | Placements | Mapping[Any, MoveTarget]"


@dataclass(frozen=True)
class Together:
    """A layout over all members as one sequence: what `together` returns."""

    layout: Layout

    def over(self, array: object, footprint: PageSet) -> Pattern:
        """Return the pattern of this layout over one array."""
        return self.layout.over(array, footprint)


def together(layout: Layout) -> Layout:
    """Lay out all members of an object as if they were one array, in the order of their names.

    By default, a layout acts on each member by itself: ``blocks([0, 1])`` divides each one between
    two nodes. ``together(blocks([0, 1]))`` puts the first half of the members on node 0.

    Parameters
    ----------
    layout : Layout
        Any layout except `by_axis`, which needs an array with axes.

    Returns
    -------
    Layout
        The length of a member is the number of pages that hold a part of it.

    Raises
    ------
    TypeError
        `layout` is not a layout.

    Examples
    --------
    >>> arrays = [np.ones(1 << 16) for _ in range(4)]
    >>> found = targets(arrays, together(blocks([0, 1])))
    >>> sorted(set(found.tolist()))
    [0, 1]
    """
    if not hasattr(layout, "over"):
        raise TypeError(f"layout: expected a layout such as blocks([0, 1]), got {layout!r}")
    return Together(layout)


def wanted_by(target: MemberTarget, array: object, pages: PageSet, *, keep: bool = False) -> Target:
    """Return the pattern that a caller's target makes for one memory or for several members.

    Parameters
    ----------
    target : as for `move`
    array, pages
        What `memory_of` returned.
    keep : bool, default False
        As for `as_target`.

    Raises
    ------
    TypeError, ValueError
        `target` is not a valid target, or does not match the memory.
    """
    if not isinstance(array, Members):
        if isinstance(target, (Mapping, Placements)):
            raise TypeError(
                f"target: got a {type(target).__name__}, which has a target for each member of "
                "an object, but the memory to move is one array; pass one of its values"
            )
        return as_target(target, array, pages, keep=keep)
    if isinstance(target, Mapping):
        return _combined(_by_name(target, array, keep=keep), array)
    if isinstance(target, Placement) or not hasattr(target, "over"):
        return as_target(target, array, pages, keep=keep)
    everything = range(len(array.arrays))
    return _combined(_of_members(target, array, everything, keep=keep), array)


def _of_members(
    target: Any, members: Members, indices: Sequence[int], *, keep: bool
) -> list[Pattern]:
    """Return the patterns that one target makes for some of the members."""
    footprints = [members.footprints[index] for index in indices]
    if isinstance(target, Together):
        return _in_one_sequence(target.layout, members, footprints)
    patterns = []
    for index, footprint in zip(indices, footprints, strict=True):
        with naming(members.footprints.names[index]):
            patterns.append(as_target(target, members.arrays[index], footprint, keep=keep))
    return patterns


def _combined(patterns: list[Pattern], members: Members) -> Target:
    only = {pattern.only for pattern in patterns}
    if len(only) == 1 and (node := only.pop()) is not None:
        return OneNode(node)
    return MemberPattern(patterns, members.footprints)


def _by_name(given: Mapping[Any, Any], members: Members, *, keep: bool) -> list[Pattern]:
    """Return the patterns of all members, each made by the target that its name has."""
    patterns: dict[int, Pattern] = {}
    for target, indices in members_by_target(given, members.footprints.index):
        found = _of_members(target, members, indices, keep=keep)
        patterns.update(zip(indices, found, strict=True))
    return [patterns[index] for index in range(len(members.arrays))]


def _in_one_sequence(layout: Layout, array: Members, members: Sequence[PageSet]) -> list[Pattern]:
    """Return the patterns of members whose pages follow one another in a single array."""
    starts, pages = [], 0
    for member in members:
        starts.append(pages)
        pages += member.pages
    size = array.footprints.page_size
    pattern = layout.over(array, Footprint(0, pages * size, (), size))
    if pattern.only is not None:
        return [OneNode(pattern.only)] * len(members)
    rotation = rotation_over(pattern, members)
    return [Shifted(pattern, start, size, rotation) for start in starts]
