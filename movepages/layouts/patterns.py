"""Patterns: a layout over one array, computed for some pages at a time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from .._core import HUGE_PAGE_BYTES
from ..pages.arguments import Addresses
from ..pages.footprint import Footprint
from ..results.placement import Placement

Ints: TypeAlias = "npt.NDArray[np.int64]"
NodeArray: TypeAlias = "npt.NDArray[np.int32]"

# A page that was absent in the placement to be followed: there is nowhere to put it.
NOWHERE = -1
# With fewer huge pages a share, shares of whole huge pages differ too much in size.
HUGE_PAGES_A_SHARE = 2
_GOLDEN = (math.sqrt(5) - 1) / 2
# So many places in a page decide which index of an axis most of it belongs to.
_PLACES = 16
# From then on a page goes to the share that has most of it.
_CLEAR = 12


class Pattern(Protocol):
    """The wanted node of each page, in parts, so that it need not exist as a whole."""

    @property
    def distinct(self) -> list[int]:
        """Nodes that occur, in ascending order, without NOWHERE."""

    @property
    def only(self) -> int | None:
        """The node that all pages without exception are wanted on, if there is one."""

    @property
    def adapts(self) -> bool:
        """Whether its borders are its own, so that they may move to those of huge pages."""

    @property
    def shares(self) -> Mapping[int, float] | None:
        """The part of all pages that each node gets, where page after page takes turns freely."""

    @property
    def torn(self) -> bool:
        """Whether single pages have parts that are wanted on several nodes."""

    def nodes_for(self, index: Ints, addresses: Addresses) -> NodeArray:
        """Return the wanted node of each page: number `index` of all pages, at an address."""

    def count_nowhere(self, index: Ints, addresses: Addresses, pages: Ints) -> Ints:
        """Count in runs of neighbouring pages those that have no target, NOWHERE.

        `index` and `addresses` are those of the first page of each run. Nothing is computed for
        each page: a run may have more of them than there is memory for.
        """


class Fixed:
    """What patterns have that want each page on one node and on no other."""

    adapts: bool = False
    torn: bool = False
    shares: Mapping[int, float] | None = None


class Everywhere(Fixed):
    """A pattern that has a target for every page."""

    def count_nowhere(self, index: Ints, addresses: Addresses, pages: Ints) -> Ints:
        """Count in runs of neighbouring pages those that have no target: none."""
        return np.zeros(len(pages), np.int64)


class _OfNodes(Everywhere):
    """One that has a list of nodes, all of which are taken to occur."""

    def __init__(self, nodes: tuple[int, ...]) -> None:
        self.nodes = np.array(nodes, np.int32)
        self.distinct: list[int] = np.unique(self.nodes).tolist()
        self.only: int | None = self.distinct[0] if len(self.distinct) == 1 else None


class Cycle(_OfNodes):
    """Blocks of bytes to nodes in turn.

    One that `adapts` goes by huge pages wherever the memory has some.
    """

    def __init__(
        self, nodes: tuple[int, ...], block: int, footprint: Footprint, *, adapts: bool = False
    ) -> None:
        super().__init__(nodes)
        self.adapts = adapts
        if adapts and block == footprint.page_size:
            self.shares = {node: n / len(nodes) for node, n in Counter(nodes).items()}
        self._pages = block // footprint.page_size
        self._block = block
        # Of memory in one piece blocks begin where huge pages do. Of many pieces, addresses could
        # meet the same node at every stride.
        self._aligned = footprint.contiguous and block % HUGE_PAGE_BYTES == 0
        self._first = footprint.address // block
        # How many the memory takes; a last one that it does not fill counts too.
        self.turns = -(-footprint.pages // self._pages)
        if self._aligned and footprint.pages:
            self.turns = (footprint.address + footprint.span - 1) // block - self._first + 1

    def nodes_for(self, index: Ints, addresses: Addresses) -> NodeArray:
        """Return the wanted node of each page."""
        if self._aligned:
            turn = (addresses // np.uintp(self._block)).astype(np.int64) - self._first
        else:
            turn = index // self._pages
        found: NodeArray = self.nodes[turn % len(self.nodes)]
        return found


class ContiguousShares(_OfNodes):
    """Contiguous shares of equally many bytes."""

    def __init__(self, nodes: tuple[int, ...], footprint: Footprint) -> None:
        super().__init__(nodes)
        self._footprint = footprint
        self.adapts = _large(footprint, len(nodes))

    def nodes_for(self, index: Ints, addresses: Addresses) -> NodeArray:
        """Return the wanted node of each page."""
        share = share_of(addresses, self._footprint, len(self.nodes))
        found: NodeArray = self.nodes[share]
        return found


def _large(footprint: Footprint, shares: int) -> bool:
    """Tell whether a border may move to that of a huge page without much of a share's size."""
    return footprint.nbytes >= HUGE_PAGES_A_SHARE * HUGE_PAGE_BYTES * shares


def share_of(addresses: Addresses, footprint: Footprint, count: int) -> npt.NDArray[np.int64]:
    """Return in which of `count` equal shares of a footprint's bytes the middle of a page is."""
    before, inside = footprint.position(addresses)
    middle = before.astype(float) + (inside - 1) / 2
    shares = (middle * (count / max(footprint.nbytes, 1))).astype(np.int64)
    return np.minimum(shares, count - 1)


class ByIndex(_OfNodes):
    """Equal blocks of the indices of an axis."""

    def __init__(
        self, nodes: tuple[int, ...], axis: int, array: npt.NDArray[Any], footprint: Footprint
    ) -> None:
        super().__init__(nodes)
        self._footprint = footprint
        self._count = array.shape[axis]
        self._stride = abs(array.strides[axis])
        self._backwards = array.strides[axis] < 0
        axes = zip(array.strides, array.shape, strict=True)
        larger = {abs(stride) for stride, count in axes if count > 1}
        self._periods = sorted((each for each in larger if each > self._stride), reverse=True)
        # Along the slowest axis each share is in one piece.
        self.adapts = not self._periods and _large(footprint, len(nodes))
        # Otherwise in as many as there are steps of the slower axes, and these can be short.
        piece = self._stride * (self._count // len(nodes))
        self.torn = bool(self._periods) and len(set(nodes)) > 1 and piece < footprint.page_size

    def nodes_for(self, index: Ints, addresses: Addresses) -> NodeArray:
        """Return the wanted node of each page."""
        if not self._stride:
            return np.full(len(addresses), self.nodes[0])
        before, inside = self._footprint.position(addresses)
        if self.torn:
            torn: NodeArray = self.nodes[self._at_golden_places(index, before, inside)]
            return torn
        ranks = (before + inside * (2 * k + 1) // (2 * _PLACES) for k in range(_PLACES))
        votes = np.stack([self._share(self._footprint.offset(rank)) for rank in ranks])
        counts = np.stack([(votes == share).sum(axis=0) for share in range(len(self.nodes))])
        share = counts.argmax(axis=0)
        # Without a clear majority the largest part of a page would win in every row alike, and its
        # node would get more than its share of the bytes.
        mixed = np.flatnonzero(counts.max(axis=0) < _CLEAR)
        if len(mixed):
            share[mixed] = self._at_golden_places(index[mixed], before[mixed], inside[mixed])
        found: NodeArray = self.nodes[share]
        return found

    def _at_golden_places(self, index: Ints, before: Ints, inside: Ints) -> Ints:
        """Return the share of one byte of each page, at steps that repeat nowhere."""
        place = (inside * (index * _GOLDEN % 1)).astype(np.int64)
        return self._share(self._footprint.offset(before + place))

    def _share(self, offset: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        for period in self._periods:
            offset = offset % period
        index = np.minimum(offset // self._stride, self._count - 1)
        if self._backwards:
            index = self._count - 1 - index
        share: npt.NDArray[np.int64] = index * len(self.nodes) // self._count
        return share


class Follow(Fixed):
    """Where a placement has what is as far along."""

    only = None

    def __init__(self, placement: Placement, footprint: Footprint) -> None:
        self._nodes = np.maximum(placement.runs["status"], NOWHERE).astype(np.int32)
        self._ends = np.cumsum(placement.runs["nbytes"])
        self._footprint = footprint
        self.distinct: list[int] = np.unique(self._nodes[self._nodes != NOWHERE]).tolist()

    def nodes_for(self, index: Ints, addresses: Addresses) -> NodeArray:
        """Return the wanted node of each page."""
        if not len(self._ends):
            return np.full(len(addresses), NOWHERE, np.int32)
        nodes: NodeArray = self._nodes[self._run(addresses)]
        return nodes

    def count_nowhere(self, index: Ints, addresses: Addresses, pages: Ints) -> Ints:
        """Count in runs of neighbouring pages those that match a part without memory."""
        if not len(self._ends):
            return pages.copy()
        size = np.uintp(self._footprint.page_size)
        last = addresses + (pages - 1).astype(np.uintp) * size
        first_run, last_run = self._run(addresses), self._run(last)
        # A run of pages has as many parts as it meets runs of the placement. The first begins with
        # it, and each of the others with the first page that is as far along.
        parts = last_run - first_run + 1
        which = np.repeat(np.arange(len(pages)), parts)
        within = np.arange(len(which)) - np.repeat(np.cumsum(parts) - parts, parts)
        run = first_run[which] + within
        low, high = np.zeros(len(which), np.int64), np.where(within == 0, 0, pages[which] - 1)
        while (low < high).any():
            middle = (low + high) // 2
            there = self._run(addresses[which] + middle.astype(np.uintp) * size) >= run
            low, high = np.where(there, low, middle + 1), np.where(there, middle, high)
        ends = np.append(low[1:], 0)
        ends[np.cumsum(parts) - 1] = pages
        counts = np.where(self._nodes[run] == NOWHERE, ends - low, 0)
        found: Ints = np.add.reduceat(counts, np.cumsum(parts) - parts) if len(pages) else pages
        return found

    def _run(self, addresses: Addresses) -> Ints:
        """Return which run of the placement each page matches; it never falls along addresses."""
        before, inside = self._footprint.position(addresses)
        middle = before.astype(float) + (inside - 1) / 2
        place = middle * (float(self._ends[-1]) / max(self._footprint.nbytes, 1))
        run = np.searchsorted(self._ends, place, side="right")
        return np.minimum(run, len(self._nodes) - 1)
