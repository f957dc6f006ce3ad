"""Run-length records of per-page facts, so that memory does not grow with the range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .page_set import PageSet

Runs: TypeAlias = "npt.NDArray[np.void]"
Statuses: TypeAlias = "npt.NDArray[np.int32]"

RUN_DTYPE = np.dtype(
    [("address", np.uintp), ("pages", np.int64), ("nbytes", np.int64), ("status", np.int32)]
)
# The parts that `GrowingRuns` keeps before it merges them.
_FEW_PARTS = 64


def find_runs(addresses: npt.NDArray[np.uintp], status: Statuses, footprint: PageSet) -> Runs:
    """Group pages of a footprint, in address order, into runs of neighbours with one status.

    The arrays of page addresses and statuses have the same length and are not empty.
    """
    page = np.uintp(footprint.page_size)
    breaks = (status[1:] != status[:-1]) | (addresses[1:] - addresses[:-1] != page)
    starts = np.concatenate(([0], np.flatnonzero(breaks) + 1))
    pages = np.diff(starts, append=len(addresses))
    first = addresses[starts]
    return make_runs(first, pages, footprint.held(first, pages), status[starts])


def make_runs(
    address: npt.NDArray[np.uintp],
    pages: npt.NDArray[np.int64],
    nbytes: npt.NDArray[np.int64] | list[int],
    status: Statuses,
) -> Runs:
    """Return runs with the given columns."""
    runs = np.empty(len(address), RUN_DTYPE)
    runs["address"] = address
    runs["pages"] = pages
    runs["nbytes"] = nbytes
    runs["status"] = status
    return runs


def join_runs(parts: Iterable[Runs], page_size: int) -> Runs:
    """Join consecutive parts into one read-only array, merging runs across the seams."""
    parts = [part for part in parts if len(part)]
    runs = parts[0].view() if len(parts) == 1 else np.concatenate([np.empty(0, RUN_DTYPE), *parts])
    if len(runs) > 1:
        address, status = np.ascontiguousarray(runs["address"]), runs["status"]
        reach = np.uintp(page_size) * runs["pages"].astype(np.uintp)
        joins = (address[:-1] + reach[:-1] == address[1:]) & (status[:-1] == status[1:])
        if joins.any():
            starts = np.flatnonzero(np.append(True, ~joins))
            pages, nbytes = (np.add.reduceat(runs[field], starts) for field in ("pages", "nbytes"))
            runs = make_runs(address[starts], pages, nbytes, status[starts])
    runs.flags.writeable = False
    return runs


class GrowingRuns:
    """Runs that come in parts, in address order; memory grows with the runs, not with the parts.

    Parameters
    ----------
    page_size : int
    """

    def __init__(self, page_size: int) -> None:
        self._page_size = page_size
        self._parts: list[Runs] = []

    def add(self, runs: Runs) -> None:
        """Append runs, and merge those seen so far from time to time."""
        self._parts.append(runs)
        # Merging copies all runs, so the more there are, the more parts have to come before it.
        if len(self._parts) > _FEW_PARTS + len(self._parts[0]) // 8:
            self._parts = [self.joined()]

    def joined(self) -> Runs:
        """Return all runs as one read-only array."""
        return join_runs(self._parts, self._page_size)


def restore_read_only(state: Mapping[str, object]) -> None:
    """Make the arrays of a value read-only again: pickle and deepcopy lose the flag.

    Counts of the arrays are cached, and would become wrong if an array changed.
    """
    for each in state.values():
        if isinstance(each, np.ndarray):
            each.flags.writeable = False


def per_page_status(runs: Runs) -> Statuses:
    """Expand runs to one int32 status for each page."""
    status: Statuses = np.repeat(runs["status"], runs["pages"])
    return status


def totals(runs: Runs, field: str) -> dict[int, int]:
    """Sum `field` ("pages" or "nbytes") by status, with keys in ascending order."""
    if len(runs) == 1:
        return {int(runs["status"][0]): int(runs[field][0])}
    values, inverse = np.unique(runs["status"], return_inverse=True)
    sums = np.zeros(len(values), np.int64)
    np.add.at(sums, inverse, runs[field])
    return dict(zip(values.tolist(), sums.tolist(), strict=True))
