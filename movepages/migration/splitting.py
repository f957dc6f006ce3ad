"""Splitting huge pages into small ones, without privilege, so that each can be on its own node."""

from __future__ import annotations

import mmap

import numpy as np

from .. import _core
from .._core import HUGE_PAGE_BYTES
from ..pages.arguments import Addresses
from ..system.advice import MADV_COLD, MADV_POPULATE_READ, MADV_POPULATE_WRITE
from ..system.maps import Backing, read_mappings

_ZEROS = _core.PRESENCE["zero page"]


def split_at(pages: Addresses, pid: int) -> Addresses:
    """Split the huge pages that hold some pages, and keep the kernel from making them anew.

    Parameters
    ----------
    pages : ndarray of uintp
        One page of each huge page, ascending.
    pid : int
        Whose; 0 for this process. Of another it takes CAP_SYS_NICE, and nothing keeps khugepaged
        from joining the pages again.

    Returns
    -------
    ndarray of uintp
        The pages of which the kernel refused nothing. It leaves a huge page that other processes
        map as it is, and says nothing: look again. Shared memory and files are left alone: a split
        takes their pages out of the page tables.

    Notes
    -----
    Advice for a part of a huge page splits it (Linux 5.4): ``madvise_cold_or_pageout_pte_range`` in
    the kernel's mm/madvise.c. khugepaged would join the small pages again within minutes, on the
    node that most of them are on, unless the mapping says MADV_NOHUGEPAGE: ``collapse()`` undoes
    that.
    """
    pages = _private(pages, pid)
    size = mmap.PAGESIZE
    done: Addresses = pages[_core.advise_each(pages, size, MADV_COLD, pid) == 0]
    if pid == 0 and len(done):
        # The one page that was called cold is young again. Linux before 5.14 has no such advice.
        _core.advise_each(done, size, MADV_POPULATE_READ, 0)
        _keep_small(done)
    return done


def fill_holes(pages: Addresses, pid: int) -> None:
    """Give memory of their own to pages that a split has left with the shared page of zeros.

    Linux 6.12 takes pages of zeros out of a huge page that it splits. They were on a node, and are
    to be on one: of memory that may be written to they get a page again, by the policy there.
    """
    if pid != 0 or not len(pages):
        return
    size = np.uintp(mmap.PAGESIZE)
    told = _core.presence(pages, pages + size, 0)
    if told is None:
        return
    start, end = (edge[told[2] == _ZEROS].tolist() for edge in told[:2])
    for first, last in zip(start, end, strict=True):
        _core.advise(first, last - first, MADV_POPULATE_WRITE, last - first)


def _private(pages: Addresses, pid: int) -> Addresses:
    """Return those pages that are private anonymous memory, as far as that is told."""
    mappings = read_mappings(pid)
    if mappings is None or not len(pages):
        return pages[:0]
    private: Addresses = pages[mappings.at(pages) == Backing.PRIVATE.value]
    return private


def _keep_small(pages: Addresses) -> None:
    """Forbid huge pages in the huge pages of some pages, one call for neighbours."""
    huge_pages = np.unique(pages // np.uintp(HUGE_PAGE_BYTES))
    for row in np.split(huge_pages, np.flatnonzero(np.diff(huge_pages) > 1) + 1):
        start, nbytes = int(row[0]) * HUGE_PAGE_BYTES, len(row) * HUGE_PAGE_BYTES
        _core.advise(start, nbytes, mmap.MADV_NOHUGEPAGE, nbytes)
