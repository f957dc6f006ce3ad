"""Run-length records: per-page facts of a long range in memory that does not grow with it."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Runs: TypeAlias = "npt.NDArray[np.void]"
Statuses: TypeAlias = "npt.NDArray[np.int32]"

RUN_DTYPE = np.dtype(
    [("address", np.uintp), ("pages", np.int64), ("nbytes", np.int64), ("status", np.int32)]
)


class RunBuilder:
    """Gathers chunks of pages, in address order, into runs of neighbours with one status."""

    def __init__(self, page_size: int) -> None:
        self._page_size = np.uintp(page_size)
        self._chunks: list[Runs] = []

    def add(
        self, addresses: npt.NDArray[np.uintp], nbytes: npt.NDArray[np.int64], status: Statuses
    ) -> None:
        """Append one chunk: equally long arrays of page addresses, bytes and statuses."""
        if len(addresses) == 0:
            return
        breaks = (status[1:] != status[:-1]) | (np.diff(addresses) != self._page_size)
        starts = np.concatenate(([0], np.flatnonzero(breaks) + 1))
        runs = np.empty(len(starts), RUN_DTYPE)
        runs["address"] = addresses[starts]
        runs["pages"] = np.diff(starts, append=len(addresses))
        runs["nbytes"] = np.add.reduceat(nbytes, starts)
        runs["status"] = status[starts]
        if self._chunks and self._continues(self._chunks[-1][-1], runs[0]):
            self._chunks[-1]["pages"][-1] += runs["pages"][0]
            self._chunks[-1]["nbytes"][-1] += runs["nbytes"][0]
            runs = runs[1:]
        if len(runs):
            self._chunks.append(runs)

    def _continues(self, last: np.void, first: np.void) -> bool:
        end = last["address"] + np.uintp(last["pages"]) * self._page_size
        return bool(end == first["address"] and last["status"] == first["status"])

    def finish(self) -> Runs:
        """Return all runs as one read-only structured array."""
        runs = np.concatenate(self._chunks) if self._chunks else np.empty(0, RUN_DTYPE)
        runs.flags.writeable = False
        return runs


def per_page_status(runs: Runs) -> Statuses:
    """Spread runs out to one int32 a page."""
    status: Statuses = np.repeat(runs["status"], runs["pages"])
    return status


def totals(runs: Runs, field: str) -> dict[int, int]:
    """Sum `field` ("pages" or "nbytes") by status; keys in ascending order."""
    values, inverse = np.unique(runs["status"], return_inverse=True)
    sums = np.zeros(len(values), np.int64)
    np.add.at(sums, inverse, runs[field])
    return dict(zip(values.tolist(), sums.tolist(), strict=True))
