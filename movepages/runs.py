"""Run-length records: per-page facts of a long range in memory that does not grow with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Runs: TypeAlias = "npt.NDArray[np.void]"
Statuses: TypeAlias = "npt.NDArray[np.int32]"

RUN_DTYPE = np.dtype(
    [("address", np.uintp), ("pages", np.int64), ("nbytes", np.int64), ("status", np.int32)]
)


def find_runs(
    addresses: npt.NDArray[np.uintp],
    nbytes: npt.NDArray[np.int64],
    status: Statuses,
    page_size: int,
) -> Runs:
    """Return the runs of neighbours with one status among pages in address order.

    The arrays, of page addresses, bytes and statuses, are equally long and not empty.
    """
    breaks = (status[1:] != status[:-1]) | (np.diff(addresses) != np.uintp(page_size))
    starts = np.concatenate(([0], np.flatnonzero(breaks) + 1))
    runs = np.empty(len(starts), RUN_DTYPE)
    runs["address"] = addresses[starts]
    runs["pages"] = np.diff(starts, append=len(addresses))
    runs["nbytes"] = np.add.reduceat(nbytes, starts)
    runs["status"] = status[starts]
    return runs


def make_runs(
    address: npt.NDArray[np.uintp],
    pages: npt.NDArray[np.int64],
    nbytes: npt.NDArray[np.int64] | list[int],
    status: Statuses,
) -> Runs:
    """Return runs of which the columns are known."""
    runs = np.empty(len(address), RUN_DTYPE)
    runs["address"] = address
    runs["pages"] = pages
    runs["nbytes"] = nbytes
    runs["status"] = status
    return runs


def join_runs(parts: Iterable[Runs], page_size: int) -> Runs:
    """Return the runs of consecutive parts as one read-only array, joined across the seams."""
    parts = [part for part in parts if len(part)]
    if len(parts) == 1 and len(parts[0]) == 1:
        only = parts[0].view()
        only.flags.writeable = False
        return only
    runs = np.concatenate([np.empty(0, RUN_DTYPE), *parts])
    ends = runs["address"] + (runs["pages"] * page_size).astype(np.uintp)
    joins = (ends[:-1] == runs["address"][1:]) & (runs["status"][:-1] == runs["status"][1:])
    starts = np.flatnonzero(np.concatenate(([True], ~joins))[: len(runs)])
    joined = runs[starts]
    for field in ("pages", "nbytes"):
        joined[field] = np.add.reduceat(runs[field], starts) if len(starts) else 0
    joined.flags.writeable = False
    return joined


def per_page_status(runs: Runs) -> Statuses:
    """Spread runs out to one int32 a page."""
    status: Statuses = np.repeat(runs["status"], runs["pages"])
    return status


def totals(runs: Runs, field: str) -> dict[int, int]:
    """Sum `field` ("pages" or "nbytes") by status; keys in ascending order."""
    if len(runs) == 1:
        return {int(runs["status"][0]): int(runs[field][0])}
    values, inverse = np.unique(runs["status"], return_inverse=True)
    sums = np.zeros(len(values), np.int64)
    np.add.at(sums, inverse, runs[field])
    return dict(zip(values.tolist(), sums.tolist(), strict=True))
