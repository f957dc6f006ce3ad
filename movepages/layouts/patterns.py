"""Patterns: a layout applied to one array, computed for some pages at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from ..pages.arguments import Addresses

Ints: TypeAlias = "npt.NDArray[np.int64]"
NodeArray: TypeAlias = "npt.NDArray[np.int32]"

# In place of a node: the page was absent in the placement to follow, so it has no target.
NOWHERE = -1


class Pattern(Protocol):
    """The wanted node of each page, computed in parts to bound the memory needed."""

    @property
    def distinct(self) -> list[int]:
        """Nodes that occur, in ascending order, without NOWHERE."""

    @property
    def only(self) -> int | None:
        """The node that every page is wanted on, or None if pages differ or lack a target."""

    @property
    def adapts(self) -> bool:
        """Whether the layout chose its borders itself, so they may move to huge page borders."""

    @property
    def shares(self) -> Mapping[int, float] | None:
        """The fraction of all pages for each node, if single pages take turns in any order."""

    @property
    def torn(self) -> bool:
        """Whether single pages hold parts that are wanted on several nodes."""

    def nodes_for(self, index: Ints, addresses: Addresses) -> NodeArray:
        """Return the wanted node of each page, given each page's number and address."""

    def count_nowhere(self, index: Ints, addresses: Addresses, pages: Ints) -> Ints:
        """Count the pages without a target (NOWHERE) in each run of neighbouring pages.

        `index` and `addresses` are those of the first page of each run. Nothing is computed for
        each page, because one value for every page of a run may not fit in memory.
        """


class Fixed:
    """Defaults of patterns that want each page on one fixed node."""

    adapts: bool = False
    torn: bool = False
    shares: Mapping[int, float] | None = None


class Everywhere(Fixed):
    """A pattern that has a target for every page."""

    def count_nowhere(self, index: Ints, addresses: Addresses, pages: Ints) -> Ints:
        """Return 0 for each run: every page has a target."""
        return np.zeros(len(pages), np.int64)
