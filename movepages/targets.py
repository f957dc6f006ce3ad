"""Targets of a move: one node, a node a page, or where a Placement had every page."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from .inputs import Nodes, as_nodes
from .placement import Placement

MoveTarget: TypeAlias = "Placement | Nodes"
NodeArray: TypeAlias = "npt.NDArray[np.int32]"

# A page that was absent in the placement to be restored: there is nowhere to put it.
NOWHERE = -1


class Target(Protocol):
    """The wanted node of each page, in slices, so that it need not exist as a whole."""

    @property
    def distinct(self) -> list[int]:
        """Nodes that occur, in ascending order, without NOWHERE."""

    @property
    def only(self) -> int | None:
        """The node that all pages without exception are wanted on, if there is one."""

    def part(self, start: int, stop: int) -> NodeArray:
        """Return the wanted nodes of pages `start` to `stop`."""


class OneNode:
    """Every page to one node."""

    def __init__(self, node: int) -> None:
        self.distinct = [node]
        self.only: int | None = node
        # One that does not fit has been refused by the time it could matter.
        self._node = np.int32(min(max(node, -1), _MOST))

    def part(self, start: int, stop: int) -> NodeArray:
        """Return the wanted nodes of pages `start` to `stop`."""
        return np.full(stop - start, self._node, np.int32)


class PerPage:
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

    def part(self, start: int, stop: int) -> NodeArray:
        """Return the wanted nodes of pages `start` to `stop`."""
        return self._nodes[start:stop]


class Restored:
    """Every page back to where a placement had it."""

    only = None

    def __init__(self, placement: Placement) -> None:
        self._nodes = np.maximum(placement.runs["status"], NOWHERE)
        self._ends = np.cumsum(placement.runs["pages"])

    @cached_property
    def distinct(self) -> list[int]:
        """Nodes that occur, in ascending order."""
        found: list[int] = np.unique(self._nodes[self._nodes != NOWHERE]).tolist()
        return found

    def part(self, start: int, stop: int) -> NodeArray:
        """Return the wanted nodes of pages `start` to `stop`."""
        run = np.searchsorted(self._ends, np.arange(start, stop), side="right")
        nodes: NodeArray = self._nodes[run]
        return nodes


# Far above any node number, and small enough to count up to.
_MOST = 1 << 16


def as_target(target: MoveTarget, pages: int, page_size: int) -> Target:
    """Return what was given as a target for `pages` pages.

    Raises
    ------
    TypeError, ValueError
        Not nodes, or not one for each page.
    """
    if isinstance(target, Placement):
        if (target.pages, target.page_size) != (pages, page_size):
            raise ValueError(
                f"target: the placement has {target.pages:,} pages of {target.page_size:,} bytes, "
                f"and the memory to move has {pages:,} of {page_size:,}; expected the same"
            )
        return Restored(target)
    nodes = as_nodes(target, name="target")
    if isinstance(nodes, int):
        return OneNode(nodes)
    if len(nodes) != pages:
        raise ValueError(
            f"target: expected one node for all, or one for each of the {pages:,} pages that hold "
            f"the array, got {len(nodes):,}; where(a).pages tells how many there are"
        )
    return PerPage(nodes)
