"""Intervals of addresses with values: cut ranges at their edges, and look up addresses."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Intervals(NamedTuple):
    """Address intervals that do not overlap, in address order, each with a value.

    Attributes
    ----------
    edges : ndarray of uintp
        Start and end of each interval in turn.
    value : ndarray of an integer dtype
        Value of each interval. Outside all intervals the value is 0.
    """

    edges: npt.NDArray[np.uintp]
    value: npt.NDArray[Any]

    def cut(
        self, starts: npt.NDArray[np.uintp], ends: npt.NDArray[np.uintp]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uintp], npt.NDArray[np.uintp]]:
        """Cut ranges at interval edges; return the range index, start and end of each piece."""
        first = np.searchsorted(self.edges, starts, "right")
        last = np.searchsorted(self.edges, ends, "left")
        counts = np.maximum(last - first, 0) + 1
        which = np.repeat(np.arange(len(starts)), counts)
        within = index_within(counts)
        edges = np.append(self.edges, np.uintp(0))
        edge = first[which] + within
        begin = np.where(within == 0, starts[which], edges[edge - 1])
        end = np.where(
            within + 1 == counts[which], ends[which], edges[np.minimum(edge, last[which])]
        )
        real = end > begin
        return which[real], begin[real], end[real]

    def at(self, addresses: npt.NDArray[np.uintp]) -> npt.NDArray[Any]:
        """Return the value at each address."""
        position = np.searchsorted(self.edges, addresses, "right")
        found = np.append(self.value, self.value.dtype.type(0))[position // 2]
        return np.where(position % 2 == 1, found, self.value.dtype.type(0))


def index_within(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the index of each item within its group, for consecutive groups of these sizes."""
    index: npt.NDArray[np.int64] = np.arange(counts.sum()) - np.repeat(
        np.cumsum(counts) - counts, counts
    )
    return index
