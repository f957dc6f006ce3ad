"""Reasons why pages are absent, from the page tables and the mappings of a process."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..pages.runs import Runs
from ..results.absence import Absence, Absences, Reasons, join_absences, merge_absences
from ..results.status import PageStatus
from ..system.maps import Backing
from ..system.presence import Presence, presence_runs
from .readings import mappings_within

# Start of the kernel's half of the address space, where no process has memory.
_KERNEL_HALF = 1 << 63


def absences(
    address: npt.NDArray[np.uintp],
    pages: npt.NDArray[np.int64],
    status: npt.NDArray[np.int32],
    page_size: int,
    pid: int,
) -> Absences:
    """Return the reason for each page on no known node, given runs of pages in address order.

    Hidden pages (status ENODATA) are in memory, but the kernel does not report their node.

    Returns
    -------
    structured ndarray, read-only
        Stretches of absent pages in address order: ``address``, ``pages`` and ``reason``, an
        `Absence`.
    """
    hidden = status == PageStatus.ENODATA.value
    if hidden.any():
        known = address[~hidden], pages[~hidden], status[~hidden]
        unseen = _hidden(address[hidden], pages[hidden], page_size)
        return merge_absences((absences(*known, page_size, pid), unseen), page_size)
    absent = (status == PageStatus.ENOENT.value) | (status == PageStatus.EFAULT.value)
    address, pages, status = address[absent], pages[absent], status[absent]
    if not len(address):
        return join_absences(())
    # Addresses in the kernel's half need no look at page tables.
    low = int(np.searchsorted(address, np.uintp(_KERNEL_HALF)))
    starts = address[:low]
    ends = starts + (pages[:low] * page_size).astype(np.uintp)
    last = int(address[-1]) + int(pages[-1]) * page_size
    mappings = mappings_within(pid, int(address[0]), last)
    found = presence_runs(starts, ends, pid)
    # The process has ended, or a sandbox hides these files.
    if mappings is None or found is None:
        return join_absences(((address, pages, _all(Absence.UNKNOWN, len(pages))),), page_size)
    run = np.searchsorted(starts, found.start, "right") - 1
    which, begin, end = mappings.cut(found.start, found.end)
    reasons = reasons_of(found.kind[which], status[run[which]], mappings.at(begin))
    sizes = ((end - begin) // np.uintp(page_size)).astype(np.int64)
    device = mappings.at(address[low:]) == Backing.DEVICE.value
    above = np.where(device, np.uint8(Absence.DEVICE.value), np.uint8(Absence.UNMAPPED.value))
    parts = (begin, sizes, reasons), (address[low:], pages[low:], above)
    return join_absences(parts, page_size)


def _hidden(
    address: npt.NDArray[np.uintp], pages: npt.NDArray[np.int64], page_size: int
) -> Absences:
    return join_absences(((address, pages, _all(Absence.HIDDEN, len(pages))),), page_size)


def hidden_afterwards(before: Absences, runs: Runs | None, page_size: int) -> Absences:
    """Return the absence records made before a move, with the pages that are hidden after it."""
    rest: Absences = before[before["reason"] != Absence.HIDDEN.value]
    if runs is None:
        return rest
    hidden = runs[runs["status"] == PageStatus.ENODATA.value]
    now = _hidden(hidden["address"], hidden["pages"], page_size)
    return merge_absences((rest, now), page_size)


def _all(reason: Absence, count: int) -> Reasons:
    return np.full(count, reason.value, np.uint8)


def reasons_of(
    kind: npt.NDArray[np.uint8],
    status: npt.NDArray[np.int32],
    backing: npt.NDArray[np.uint8],
) -> Reasons:
    """Return the reason for each stretch, from its kind, the kernel's status and its backing."""
    no_entry = status == PageStatus.ENOENT.value
    nothing = kind == Presence.NOTHING.value
    is_zero, may_be_zero = kind == Presence.ZERO_PAGE.value, kind == Presence.PAGE_OR_ZERO.value
    cases = {
        Absence.DEVICE: backing == Backing.DEVICE.value,
        Absence.UNMAPPED: nothing & (backing == Backing.NOTHING.value),
        Absence.NOT_ENTERED: nothing & (backing == Backing.OTHER.value),
        Absence.SWAPPED: kind == Presence.SWAPPED.value,
        Absence.GUARD: kind == Presence.GUARD.value,
        Absence.ZERO_PAGE: is_zero | (may_be_zero & ~no_entry),
    }
    # The remaining stretches have no page table entry, or got a page after the query.
    return np.select(
        list(cases.values()), [each.value for each in cases], Absence.UNTOUCHED.value
    ).astype(np.uint8)
