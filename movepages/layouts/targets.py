"""Targets of a move: one node, a node a page, a layout, or where a Placement had every page."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol, TypeAlias

import numpy as np

from ..pages.arguments import Addresses, Nodes, as_nodes
from ..pages.footprint import Footprint
from ..results.placement import Placement
from .patterns import NOWHERE, Everywhere, Fixed, Ints, NodeArray, Pattern

MoveTarget: TypeAlias = "Placement | Layout | Nodes"
Target: TypeAlias = Pattern


class Layout(Protocol):
    """Says which node each page of an array is wanted on; see `interleave` and the others."""

    def over(self, array: object, footprint: Footprint) -> Pattern:
        """Return the pattern that it makes of one array."""


class OneNode(Everywhere):
    """Every page to one node."""

    def __init__(self, node: int) -> None:
        self.distinct = [node]
        self.only: int | None = node
        # One that does not fit has been refused by the time it could matter.
        self._node = np.int32(min(max(node, -1), _MOST))

    def nodes_for(self, index: Ints, addresses: Addresses) -> NodeArray:
        """Return the wanted node of each page."""
        return np.full(len(addresses), self._node, np.int32)


class PerPage(Everywhere):
    """A node for each page, from an array of the caller's."""

    only = None

    def __init__(self, nodes: NodeArray) -> None:
        self._nodes = nodes

    @cached_property
    def distinct(self) -> list[int]:
        """Nodes that occur, in ascending order; of numbers that are none, one."""
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
    """Every page back to where a placement had it."""

    only = None

    def __init__(self, placement: Placement) -> None:
        self._nodes = np.maximum(placement.runs["status"], NOWHERE)
        pages = placement.runs["pages"]
        self._ends = np.cumsum(pages)
        # Pages without a target ahead of each run, and of the end.
        self._nowhere = np.append(0, np.cumsum(np.where(self._nodes == NOWHERE, pages, 0)))

    @cached_property
    def distinct(self) -> list[int]:
        """Nodes that occur, in ascending order."""
        found: list[int] = np.unique(self._nodes[self._nodes != NOWHERE]).tolist()
        return found

    def nodes_for(self, index: Ints, addresses: Addresses) -> NodeArray:
        """Return the wanted node of each page."""
        nodes: NodeArray = self._nodes[np.searchsorted(self._ends, index, side="right")]
        return nodes

    def count_nowhere(self, index: Ints, addresses: Addresses, pages: Ints) -> Ints:
        """Count in runs of neighbouring pages those that had no memory in the placement."""
        return self._nowhere_before(index + pages) - self._nowhere_before(index)

    def _nowhere_before(self, index: Ints) -> Ints:
        run = np.searchsorted(self._ends, index, side="right")
        # Behind the last page there is no run.
        begins = np.append(0, self._ends)[run]
        inside = np.append(self._nodes == NOWHERE, False)[run]
        found: Ints = self._nowhere[run] + np.where(inside, index - begins, 0)
        return found


# Far above any node number, and small enough to count up to.
_MOST = 1 << 16


def as_target(
    target: MoveTarget, array: object, footprint: Footprint, *, keep: bool = False
) -> Target:
    """Return what was given as a target for an array and its pages.

    With `keep` it stays what it is now, whatever the caller writes into a buffer that was given.

    Raises
    ------
    TypeError, ValueError
        Not nodes, or not one for each page.
    """
    pages, page_size = footprint.pages, footprint.page_size
    if isinstance(target, Placement):
        if (target.pages, target.page_size) != (pages, page_size):
            raise ValueError(
                f"target: the placement has {target.pages:,} pages of {target.page_size:,} bytes, "
                f"and the memory to move has {pages:,} of {page_size:,}; expected the same"
            )
        return Restored(target)
    if hasattr(target, "over"):
        return target.over(array, footprint)
    nodes = as_nodes(target, name="target")
    if isinstance(nodes, int):
        return OneNode(nodes)
    if len(nodes) != pages:
        raise ValueError(
            f"target: expected one node for all, or one for each of the {pages:,} pages that hold "
            f"the array, got {len(nodes):,}; where(a).pages tells how many there are"
        )
    return PerPage(nodes.copy() if keep else nodes)
