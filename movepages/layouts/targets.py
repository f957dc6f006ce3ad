"""Targets of a move: one node, a node for each page, a layout, or an earlier Placement."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Protocol, TypeAlias

import numpy as np

from ..pages.arguments import Addresses, Nodes, as_nodes
from ..pages.page_set import PageSet
from ..results.placement import Placement
from .guesses import in_words, meant_by
from .patterns import NOWHERE, Everywhere, Fixed, Ints, NodeArray, Pattern

MoveTarget: TypeAlias = "Placement | Layout | Nodes"
Target: TypeAlias = Pattern


class Layout(Protocol):
    """A rule that gives each page of an array a node; `interleave` and others return one."""

    def over(self, array: object, footprint: PageSet) -> Pattern:
        """Return the pattern of this layout over one array."""


class OneNode(Everywhere):
    """The same node for every page."""

    def __init__(self, node: int) -> None:
        self.distinct = [node]
        self.only: int | None = node
        # Clipping changes only invalid nodes, which are refused before they are used.
        self._node = np.int32(min(max(node, -1), _MOST))

    def nodes_for(self, index: Ints, addresses: Addresses) -> NodeArray:
        """Return the wanted node of each page."""
        return np.full(len(addresses), self._node, np.int32)


class PerPage(Everywhere):
    """A node for each page, from the caller's array."""

    only = None

    def __init__(self, nodes: NodeArray) -> None:
        self._nodes = nodes

    @cached_property
    def distinct(self) -> list[int]:
        """Distinct nodes, ascending; if a number is out of range, only that number."""
        lowest, highest = int(self._nodes.min(initial=0)), int(self._nodes.max(initial=0))
        if lowest < 0 or highest > _MOST:
            return [lowest if lowest < 0 else highest]
        found: list[int] = np.flatnonzero(np.bincount(self._nodes)).tolist()
        return found

    def nodes_for(self, index: Ints, addresses: Addresses) -> NodeArray:
        """Return the wanted node of each page."""
        whole = len(index) and index[-1] - index[0] == len(index) - 1
        found: NodeArray = self._nodes[slice(index[0], index[-1] + 1) if whole else index]
        return found


class Restored(Fixed):
    """The node that each page had in a placement."""

    only = None

    def __init__(self, placement: Placement) -> None:
        self._nodes = np.maximum(placement.runs["status"], NOWHERE)
        self._pages = placement.runs["pages"]
        self._ends = np.cumsum(self._pages)

    @cached_property
    def _nowhere(self) -> Ints:
        """Number of pages without a target before each run, and in all runs."""
        return np.append(0, np.cumsum(np.where(self._nodes == NOWHERE, self._pages, 0)))

    @cached_property
    def distinct(self) -> list[int]:
        """Nodes that occur, in ascending order."""
        # Most placements have few runs, and np.unique() takes longer for these.
        return sorted(set(self._nodes.tolist()) - {NOWHERE})

    def nodes_for(self, index: Ints, addresses: Addresses) -> NodeArray:
        """Return the wanted node of each page."""
        nodes: NodeArray = self._nodes[np.searchsorted(self._ends, index, side="right")]
        return nodes

    def count_nowhere(self, index: Ints, addresses: Addresses, pages: Ints) -> Ints:
        """Count the pages of each run that had no memory in the placement."""
        return self._nowhere_before(index + pages) - self._nowhere_before(index)

    def _nowhere_before(self, index: Ints) -> Ints:
        run = np.searchsorted(self._ends, index, side="right")
        # An index after the last page is in no run.
        begins = np.append(0, self._ends)[run]
        inside = np.append(self._nodes == NOWHERE, False)[run]
        found: Ints = self._nowhere[run] + np.where(inside, index - begins, 0)
        return found


# Far above any node number, but small enough for np.bincount().
_MOST = 1 << 16


def as_target(
    target: MoveTarget, array: object, footprint: PageSet, *, keep: bool = False
) -> Target:
    """Return the pattern that a caller's target makes for the pages of an array.

    With `keep`, the pattern copies an array of nodes, so that the caller may overwrite it later.

    Raises
    ------
    TypeError, ValueError
        `target` is not a valid target, or does not match the pages of the array.
    """
    pages, page_size = footprint.pages, footprint.page_size
    if isinstance(target, Placement):
        if (target.pages, target.page_size) != (pages, page_size):
            raise ValueError(
                f"target: the placement has {target.pages:,} pages of {target.page_size:,} bytes, "
                f"but the memory to move has {pages:,} of {page_size:,}; the two must match"
            )
        return Restored(target)
    if hasattr(target, "over"):
        return target.over(array, footprint)
    # An array of the right length has the nodes, in another dtype.
    meant = "" if getattr(target, "shape", None) == (pages,) else meant_by(target)
    if meant or target is None or isinstance(target, (str, bytes, Mapping)):
        meant = "a member within another is 'a.b'" if isinstance(target, Mapping) else meant
        raise TypeError(
            "target: expected a node such as 0, a layout such as interleave([0, 1]), a Placement, "
            f"or an array of int32 with a node for each page, got {in_words(target)}"
            + (f"; {meant}" if meant else "")
        )
    nodes = as_nodes(target, name="target")
    if isinstance(nodes, int):
        return OneNode(nodes)
    if len(nodes) != pages:
        alone = f"; for one node, pass the number {nodes[0]}" if len(nodes) == 1 else ""
        raise ValueError(
            f"target: expected one node for all pages, or one for each of the {pages:,} pages of "
            f"the memory, got a sequence of {len(nodes):,}{alone}; where(a).pages gives the number "
            "of pages; to divide them between nodes, pass a layout such as blocks([0, 1]) or "
            "interleave([0, 1]), and for a node for each member a mapping such as {0: 0, 1: 1}"
        )
    return PerPage(nodes.copy() if keep else nodes)
