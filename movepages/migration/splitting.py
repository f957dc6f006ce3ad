"""Split huge pages into small ones without privilege, so that each can have its own node."""

from __future__ import annotations

import mmap

import numpy as np

from .. import _core
from .._core import HUGE_PAGE_BYTES
from ..pages.arguments import Addresses
from ..query.readings import mappings_within
from ..system.advice import MADV_COLD, MADV_POPULATE_READ, MADV_POPULATE_WRITE
from ..system.maps import Backing
from ..system.presence import Presence, presence_runs


def split_at(pages: Addresses, pid: int) -> Addresses:
    """Split huge pages, and keep the kernel from joining their pages again.

    Parameters
    ----------
    pages : ndarray of uintp
        One page of each huge page, ascending.
    pid : int
        The process; 0 for this one. Another process needs CAP_SYS_NICE, and there khugepaged may
        join the pages again.

    Returns
    -------
    ndarray of uintp
        The pages for which the kernel reported no error. It silently skips a huge page that other
        processes map, so look again. Shared memory and files are left alone, because a split would
        remove their pages from the page tables.

    Notes
    -----
    Advice for a part of a huge page splits it (Linux 5.4): ``madvise_cold_or_pageout_pte_range`` in
    the kernel's mm/madvise.c. khugepaged would join the small pages again within minutes, on the
    node of most of them, unless the mapping has MADV_NOHUGEPAGE. ``collapse()`` lifts that advice.
    """
    pages = _private(pages, pid)
    size = mmap.PAGESIZE
    done: Addresses = pages[_core.advise_each(pages, size, MADV_COLD, pid) == 0]
    if pid == 0:
        # A read makes the page that was advised cold young again. The advice needs Linux 5.14.
        _core.advise_each(done, size, MADV_POPULATE_READ, 0)
        forbid_huge_pages(done)
    return done


def fill_holes(pages: Addresses, pid: int) -> None:
    """Give memory of their own to pages that a split has replaced by the shared zero page.

    When Linux 6.12 splits a huge page, it drops small pages that hold only zeros. They were on a
    node and have to be on one again, so each writable one gets a new page by the policy there.
    """
    if pid != 0 or not len(pages):
        return
    size = np.uintp(mmap.PAGESIZE)
    runs = presence_runs(pages, pages + size, 0)
    if runs is None:
        return
    zeros = runs.kind == Presence.ZERO_PAGE.value
    start, end = runs.start[zeros].tolist(), runs.end[zeros].tolist()
    for first, last in zip(start, end, strict=True):
        _core.advise(first, last - first, MADV_POPULATE_WRITE, last - first)


def _private(pages: Addresses, pid: int) -> Addresses:
    """Return the pages known to be private anonymous memory."""
    if not len(pages):
        return pages
    mappings = mappings_within(pid, int(pages.min()), int(pages.max()) + 1)
    if mappings is None:
        return pages[:0]
    private: Addresses = pages[mappings.at(pages) == Backing.PRIVATE.value]
    return private


def forbid_huge_pages(pages: Addresses, low: int = 0, high: int = 1 << 64) -> None:
    """Set MADV_NOHUGEPAGE on the huge pages that hold some pages, between two addresses.

    The pages are in address order.
    """
    if not len(pages):
        return
    huge_pages = pages // np.uintp(HUGE_PAGE_BYTES)
    huge_pages = huge_pages[np.append(True, huge_pages[1:] != huge_pages[:-1])]
    for row in np.split(huge_pages, np.flatnonzero(np.diff(huge_pages) > 1) + 1):
        start = max(int(row[0]) * HUGE_PAGE_BYTES, low)
        nbytes = min((int(row[-1]) + 1) * HUGE_PAGE_BYTES, high) - start
        # A kernel without huge pages refuses the advice, and does not need it.
        _core.advise(start, nbytes, mmap.MADV_NOHUGEPAGE, nbytes)
