"""Absence: the reasons why a page is on no node, and records of absent pages."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Absences: TypeAlias = "npt.NDArray[np.void]"
Reasons: TypeAlias = "npt.NDArray[np.uint8]"

ABSENCE_DTYPE = np.dtype([("address", np.uintp), ("pages", np.int64), ("reason", np.uint8)])


_NOTHING = np.empty(0, ABSENCE_DTYPE)
_NOTHING.flags.writeable = False


def nothing_absent() -> Absences:
    """Return an empty array of absence records."""
    return _NOTHING


class Absence(IntEnum):
    """Why a page is on no node, as far as the kernel reports it.

    Attributes
    ----------
    meaning : str
        The reason in a few words.

    Examples
    --------
    >>> a = np.empty(1 << 20)
    >>> where(a).absent_reasons.get(Absence.SWAPPED, 0)
    0

    Notes
    -----
    Source: PAGEMAP_SCAN and /proc/PID/pagemap, Documentation/admin-guide/mm/pagemap.rst, and
    /proc/PID/maps. They are read after the move_pages(2) query. A page that gains or loses its
    memory in between shows its later state.
    """

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Absence:  # noqa: D102
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    UNTOUCHED = 1, "never touched, or freed since"
    SWAPPED = 2, "swapped out, or replaced by a migration entry or a marker of the kernel"
    ZERO_PAGE = 3, "mapped to the kernel's shared zero page, which holds only zeros"
    UNMAPPED = 4, "outside every mapping of the process"
    NOT_ENTERED = (
        5,
        "file or shared memory not faulted in by the process: in memory, swapped out or neither",
    )
    HIDDEN = (
        6,
        "in memory, but a sandbox hides its node, or, before Linux 6.6, PROT_NONE or balancing",
    )
    DEVICE = 7, "mapped from a device or the kernel, not memory on a node"
    GUARD = 8, "in a guard region, where access is forbidden"
    UNKNOWN = 9, "for a reason that the kernel does not report"


def count_reasons(found: Absences) -> dict[Absence, int]:
    """Count the absent pages for each reason."""
    counts = np.bincount(found["reason"], found["pages"], len(Absence) + 1)
    return {reason: int(counts[reason]) for reason in Absence if counts[reason]}


def describe_reasons(found: Absences) -> str:
    """Describe the counts of `count_reasons` in words, without HIDDEN pages: these have memory."""
    return ", ".join(
        f"{n:,} {reason.meaning}"
        for reason, n in count_reasons(found).items()
        if reason is not Absence.HIDDEN
    )


def join_absences(
    parts: Iterable[tuple[npt.NDArray[np.uintp], npt.NDArray[np.int64], Reasons]],
    page_size: int = 1,
) -> Absences:
    """Make records of consecutive parts, joining adjacent stretches with the same reason.

    Each part is a tuple of addresses, pages and reasons.
    """
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
    """Merge records in address order, joining adjacent stretches with the same reason."""
    some = [part for part in parts if len(part)]
    if not some:
        return nothing_absent()
    whole = np.concatenate(some)
    whole = whole[np.argsort(whole["address"], kind="stable")]
    return join_absences(((whole["address"], whole["pages"], whole["reason"]),), page_size)
