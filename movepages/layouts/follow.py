"""Follow: the pattern of an earlier placement."""

from __future__ import annotations

import numpy as np

from ..pages.arguments import Addresses
from ..pages.page_set import PageSet
from ..results.placement import Placement
from ..system.intervals import index_within
from .patterns import NOWHERE, Fixed, Ints, NodeArray


class Follow(Fixed):
    """The nodes of a placement, scaled to the length of this memory."""

    only = None

    def __init__(self, placement: Placement, footprint: PageSet) -> None:
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
        """Count the pages of each run that match a part without memory."""
        if not len(self._ends):
            return pages.copy()
        size = np.uintp(self._footprint.page_size)
        last = addresses + (pages - 1).astype(np.uintp) * size
        first_run, last_run = self._run(addresses), self._run(last)
        # Cut each run of pages where it crosses into another run of the placement. The first part
        # begins at the run's first page; a binary search finds the first page of each other part.
        parts = last_run - first_run + 1
        which = np.repeat(np.arange(len(pages)), parts)
        within = index_within(parts)
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
        """Return each page's matching run in the placement; it never falls as addresses rise."""
        before, inside = self._footprint.position(addresses)
        middle = before.astype(float) + (inside - 1) / 2
        place = middle * (float(self._ends[-1]) / max(self._footprint.nbytes, 1))
        run = np.searchsorted(self._ends, place, side="right")
        return np.minimum(run, len(self._nodes) - 1)
