"""Why pages have no node: what the page tables and the mappings tell of absent pages."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from . import _core
from .errors import PageStatus
from .mappings import Backing, read_mappings
from .runs import Runs

Absences: TypeAlias = "npt.NDArray[np.void]"
Reasons: TypeAlias = "npt.NDArray[np.uint8]"

ABSENCE_DTYPE = np.dtype([("address", np.uintp), ("pages", np.int64), ("reason", np.uint8)])


_NOTHING = np.empty(0, ABSENCE_DTYPE)
_NOTHING.flags.writeable = False


def nothing_absent() -> Absences:
    """Return no records."""
    return _NOTHING


# The half of the address space that no process has.
_KERNEL_HALF = 1 << 63


class Absence(IntEnum):
    """Why a page is on no node, as far as the kernel lets one know.

    Attributes
    ----------
    meaning : str
        In a few words.

    Examples
    --------
    >>> a = np.empty(1 << 20)
    >>> where(a).absent_reasons.get(Absence.SWAPPED, 0)
    0

    Notes
    -----
    Source: PAGEMAP_SCAN and /proc/PID/pagemap, Documentation/admin-guide/mm/pagemap.rst, and
    /proc/PID/maps. They are read after move_pages(2) was asked, so a page of which memory is given
    or taken in between shows what it became.
    """

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Absence:  # noqa: D102
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    UNTOUCHED = 1, "never touched, or given back since"
    SWAPPED = 2, "swapped out, or kept from its place by the kernel"
    ZERO_PAGE = 3, "holds zeros only: the page of zeros that all share"
    UNMAPPED = 4, "nothing is mapped there"
    NOT_ENTERED = (
        5,
        "of a file or shared, not entered here: in memory, swapped out or neither",
    )
    HIDDEN = 6, "in memory, but not accessible or watched: this kernel does not tell where"
    DEVICE = 7, "mapped from a device or the kernel, not memory of a node"
    GUARD = 8, "a guard region, which may not be accessed"
    UNKNOWN = 9, "the kernel does not tell why"


def absences(
    address: npt.NDArray[np.uintp],
    pages: npt.NDArray[np.int64],
    status: npt.NDArray[np.int32],
    page_size: int,
    pid: int,
) -> Absences:
    """Return why, among runs of pages in address order, those on no known node are not.

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
    # What lies in the kernel's half needs no look at page tables.
    low = int(np.searchsorted(address, np.uintp(_KERNEL_HALF)))
    starts = address[:low]
    ends = starts + (pages[:low] * page_size).astype(np.uintp)
    last = int(address[-1]) + int(pages[-1]) * page_size
    mappings = read_mappings(pid, int(address[0]), last)
    told = _core.presence(starts, ends, pid)
    # A process that is no more, or a sandbox without these files.
    if mappings is None or told is None:
        return join_absences(((address, pages, _all(Absence.UNKNOWN, len(pages))),), page_size)
    run = np.searchsorted(starts, told[0], "right") - 1
    which, begin, end = mappings.cut(told[0], told[1])
    reasons = reasons_of(told[2][which], status[run[which]], mappings.at(begin))
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
    """Return records of before a move, with those pages as hidden that are so after it."""
    rest: Absences = before[before["reason"] != Absence.HIDDEN.value]
    if runs is None:
        return rest
    hidden = runs[runs["status"] == PageStatus.ENODATA.value]
    now = _hidden(hidden["address"], hidden["pages"], page_size)
    return merge_absences((rest, now), page_size)


def _all(reason: Absence, count: int) -> Reasons:
    return np.full(count, reason.value, np.uint8)


def count_reasons(found: Absences) -> dict[Absence, int]:
    """Count the pages of each reason."""
    counts = np.bincount(found["reason"], found["pages"], len(Absence) + 1)
    return {reason: int(counts[reason]) for reason in Absence if counts[reason]}


def describe_reasons(found: Absences) -> str:
    """Return the counts of `count_reasons` in words, without pages that do have memory."""
    return ", ".join(
        f"{n:,} {reason.meaning}"
        for reason, n in count_reasons(found).items()
        if reason is not Absence.HIDDEN
    )


def reasons_of(
    kind: npt.NDArray[np.uint8],
    status: npt.NDArray[np.int32],
    backing: npt.NDArray[np.uint8],
) -> Reasons:
    """Decide for stretches by what the page tables have there and what the kernel answers."""
    is_kind = {name: kind == number for name, number in _core.PRESENCE.items()}
    no_entry = status == PageStatus.ENOENT.value
    nothing = is_kind["nothing"]
    cases = {
        Absence.DEVICE: backing == Backing.DEVICE.value,
        Absence.UNMAPPED: nothing & (backing == Backing.NOTHING.value),
        Absence.NOT_ENTERED: nothing & (backing == Backing.OTHER.value),
        Absence.SWAPPED: is_kind["swapped"],
        Absence.GUARD: is_kind["guard"],
        Absence.ZERO_PAGE: is_kind["zero page"] | (is_kind["page or zero"] & ~no_entry),
    }
    # What is left has no entry, or has got a page after it was asked for.
    return np.select(
        list(cases.values()), [each.value for each in cases], Absence.UNTOUCHED.value
    ).astype(np.uint8)


def join_absences(
    parts: Iterable[tuple[npt.NDArray[np.uintp], npt.NDArray[np.int64], Reasons]],
    page_size: int = 1,
) -> Absences:
    """Make records of consecutive parts (addresses, pages, reasons), neighbours alike as one."""
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    if not columns:
        return nothing_absent()
    starts, pages, reasons = columns
    ends = starts + (pages * page_size).astype(np.uintp)
    new = np.ones(len(starts), bool)
    new[1:] = (starts[1:] != ends[:-1]) | (reasons[1:] != reasons[:-1])
    first = np.flatnonzero(new)
    found = np.empty(len(first), ABSENCE_DTYPE)
    found["address"] = starts[first]
    found["pages"] = np.add.reduceat(pages, first) if len(first) else 0
    found["reason"] = reasons[first]
    found.flags.writeable = False
    return found


def merge_absences(parts: Iterable[Absences], page_size: int) -> Absences:
    """Return the records of all parts in address order, neighbours alike as one."""
    some = [part for part in parts if len(part)]
    if not some:
        return nothing_absent()
    whole = np.concatenate(some)
    whole = whole[np.argsort(whole["address"], kind="stable")]
    return join_absences(((whole["address"], whole["pages"], whole["reason"]),), page_size)
