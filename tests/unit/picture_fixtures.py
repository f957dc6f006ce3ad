"""Placements made by hand, on nodes that need not exist."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import movepages as mp
from movepages.pages.runs import join_runs, make_runs
from support import memory

PAGE = memory.PAGE
ABSENT = int(mp.PageStatus.ENOENT)
START = 1 << 40


def placed(
    pages: Sequence[int], status: Sequence[int], shape: tuple[int, ...] = ()
) -> mp.Placement:
    """Return runs of pages with one status each; with a shape, of a C-contiguous byte array."""
    counts = np.asarray(pages, np.int64)
    first = ((np.cumsum(counts) - counts) * PAGE + START).astype(np.uintp)
    runs = make_runs(first, counts, counts * PAGE, np.asarray(status, np.int32))
    total = int(counts.sum())
    strides = tuple(int(np.prod(shape[k + 1 :], dtype=int)) for k in range(len(shape)))
    return mp.Placement(
        address=START, nbytes=total * PAGE, pages=total, page_size=PAGE, shared_edges=0,
        runs=join_runs([runs], PAGE), shape=shape, strides=strides,
    )  # fmt: skip


def many(runs: int) -> mp.Placement:
    """Return this many runs of 1 to 3 pages, on four nodes and absent in turn."""
    index = np.arange(runs)
    return placed(1 + index % 3, np.where(index % 5 == 4, ABSENT, index % 5))
