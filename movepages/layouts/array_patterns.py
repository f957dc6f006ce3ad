"""Patterns over one array: turns, contiguous shares, and blocks of an axis."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core import HUGE_PAGE_BYTES
from ..pages.arguments import Addresses
from ..pages.footprint import Footprint
from ..pages.memory import Memory
from ..pages.page_set import PageSet
from .patterns import Everywhere, Ints, NodeArray

# With fewer huge pages in each share, shares of whole huge pages differ too much in size.
HUGE_PAGES_A_SHARE = 2
_GOLDEN = (math.sqrt(5) - 1) / 2
# Number of places sampled in a page to find the share of an axis that holds most of it.
_PLACES = 16
# A page goes to a share that holds at least this many of the places.
_CLEAR = 12


class _OfNodes(Everywhere):
    """A pattern over a list of nodes; it assumes that all of them occur."""

    def __init__(self, nodes: tuple[int, ...]) -> None:
        self.nodes = np.array(nodes, np.int32)
        self.distinct: list[int] = np.unique(self.nodes).tolist()
        self.only: int | None = self.distinct[0] if len(self.distinct) == 1 else None


class Cycle(_OfNodes):
    """Blocks of bytes, given to nodes in turn.

    With `adapts`, the turns follow huge pages wherever the memory has some.
    """

    def __init__(
        self, nodes: tuple[int, ...], block: int, footprint: PageSet, *, adapts: bool = False
    ) -> None:
        super().__init__(nodes)
        self.adapts = adapts
        if adapts and block == footprint.page_size:
            self.shares = {node: n / len(nodes) for node, n in Counter(nodes).items()}
        self._pages = block // footprint.page_size
        self._block = block
        # In contiguous memory, blocks begin at huge page borders. With gaps, turns by address could
        # put every piece on the same node, if the stride matches the cycle.
        self._aligned = footprint.contiguous and block % HUGE_PAGE_BYTES == 0
        self._first = footprint.address // block
        # Number of turns that the memory takes; a partial last turn counts.
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
    """Contiguous shares, equal in bytes."""

    def __init__(self, nodes: tuple[int, ...], footprint: PageSet) -> None:
        super().__init__(nodes)
        self._footprint = footprint
        self.adapts = _large(footprint, len(nodes))

    def nodes_for(self, index: Ints, addresses: Addresses) -> NodeArray:
        """Return the wanted node of each page."""
        share = share_of(addresses, self._footprint, len(self.nodes))
        found: NodeArray = self.nodes[share]
        return found


def _large(footprint: PageSet, shares: int) -> bool:
    """Return whether shares stay nearly equal when borders move to huge page borders."""
    return footprint.nbytes >= HUGE_PAGES_A_SHARE * HUGE_PAGE_BYTES * shares


def share_of(addresses: Addresses, footprint: PageSet, count: int) -> npt.NDArray[np.int64]:
    """Return, for each page, which of `count` equal shares of the bytes holds its middle."""
    before, inside = footprint.position(addresses)
    middle = before.astype(float) + (inside - 1) / 2
    shares = (middle * (count / max(footprint.nbytes, 1))).astype(np.int64)
    return np.minimum(shares, count - 1)


class ByIndex(_OfNodes):
    """Equal blocks of indices along an axis."""

    def __init__(
        self,
        nodes: tuple[int, ...],
        axis: int,
        array: npt.NDArray[Any] | Memory,
        footprint: Footprint,
    ) -> None:
        super().__init__(nodes)
        self._footprint = footprint
        self._count = array.shape[axis]
        self._stride = abs(array.strides[axis])
        self._backwards = array.strides[axis] < 0
        axes = zip(array.strides, array.shape, strict=True)
        larger = {abs(stride) for stride, count in axes if count > 1}
        self._periods = sorted((each for each in larger if each > self._stride), reverse=True)
        # Along the slowest axis, each share is one piece, so its borders can move.
        self.adapts = not self._periods and _large(footprint, len(nodes))
        # Along a faster axis, a share has one piece for each step of the slower axes. Such a piece
        # can be shorter than a page.
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
        # Without a clear majority, the share with the largest part of a page could be the same in
        # every row, and its node would get more bytes than its share.
        mixed = np.flatnonzero(counts.max(axis=0) < _CLEAR)
        if len(mixed):
            share[mixed] = self._at_golden_places(index[mixed], before[mixed], inside[mixed])
        found: NodeArray = self.nodes[share]
        return found

    def _at_golden_places(self, index: Ints, before: Ints, inside: Ints) -> Ints:
        """Return the share of one byte of each page; the byte's place in the page never repeats."""
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
