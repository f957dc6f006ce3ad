"""Spans: memory that was looked at, so that views of it do not count a second time."""

from __future__ import annotations

import numpy as np

from ..pages.named import NamedFootprints
from ..results.placement import Placement


class Spans:
    """Addresses of contiguous memories."""

    def __init__(self) -> None:
        self._known: list[tuple[int, int]] = []

    def add(self, placement: Placement) -> bool:
        """Add a memory, if it is contiguous; return False if all its pages are in one of these."""
        if not len(placement.runs):
            return True
        first, last = placement.runs[0], placement.runs[-1]
        begin, size = int(first["address"]), placement.page_size
        end = int(last["address"]) + int(last["pages"]) * size
        if any(start <= begin and end <= stop for start, stop in self._known):
            return False
        if end - begin == placement.pages * size:
            self._known.append((begin, end))
        return True

    def outside(self, members: NamedFootprints, indices: list[int]) -> list[int]:
        """Return those of some members that are not contiguous parts of one of these."""
        if not self._known:
            return indices
        begin, end = np.array(sorted(self._known), np.uintp).T
        # Of memories that overlap, the one that reaches farthest counts.
        end = np.maximum.accumulate(end)
        address, nbytes = members.address[indices], members.nbytes[indices].astype(np.uintp)
        at = np.searchsorted(begin, address, "right") - 1
        inside = ((at >= 0) & (address + nbytes <= end[at])).tolist()
        return [
            index
            for index, is_inside in zip(indices, inside, strict=True)
            if index in members.parted or not is_inside
        ]
