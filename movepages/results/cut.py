"""Cut records of many pages down to the pages of one member."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..pages.page_set import PageSet, Rows, rows_of
from ..pages.runs import Runs, join_runs, make_runs
from ..system.intervals import Intervals
from .absence import Absences, join_absences

Ints: TypeAlias = "npt.NDArray[np.int64]"


def cut_runs(runs: Runs, member: PageSet) -> Runs:
    """Return the runs of the pages of one member, with the bytes of this member."""
    which, begin, pages = _cut(runs, rows_of(member), member.page_size)
    found = make_runs(begin, pages, member.held(begin, pages), runs["status"][which])
    return join_runs([found], member.page_size)


def cut_absences(absences: Absences, member: PageSet) -> Absences:
    """Return the records of the absent pages of one member."""
    which, begin, pages = _cut(absences, rows_of(member), member.page_size)
    return join_absences(((begin, pages, absences["reason"][which]),), member.page_size)


def _cut(
    records: npt.NDArray[Any], rows: Rows, page_size: int
) -> tuple[Ints, npt.NDArray[np.uintp], Ints]:
    """Return, for each part of a record within the rows, the record's index, start and pages."""
    size = np.uintp(page_size)
    starts, (addresses, pages) = records["address"], rows
    if not len(records) or not len(addresses):
        nothing = np.empty(0, np.int64)
        return nothing, np.empty(0, np.uintp), nothing
    # A record before the first page may reach it.
    low = max(int(np.searchsorted(starts, addresses[0], "right")) - 1, 0)
    ends = addresses + pages.astype(np.uintp) * size
    starts = np.ascontiguousarray(starts[low : np.searchsorted(starts, ends[-1])])
    reach = records["pages"][low : low + len(starts)].astype(np.uintp) * size
    edges = np.stack((starts, starts + reach), axis=1)
    known = Intervals(edges.ravel(), np.arange(low + 1, low + len(starts) + 1))
    _, begin, end = known.cut(addresses, ends)
    which = known.at(begin) - 1
    inside = which >= 0
    begin, end = begin[inside], end[inside]
    return which[inside], begin, ((end - begin) // size).astype(np.int64)
