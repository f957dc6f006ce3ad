"""Cutter: records of many pages, cut down to the pages of each member."""

from __future__ import annotations

import itertools
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..pages.member_rows import MemberRows
from ..system.intervals import index_within

Records: TypeAlias = "npt.NDArray[np.void]"
Ints: TypeAlias = "npt.NDArray[np.int64]"


class Cutter:
    """Cuts records of the pages of several members, such as runs or absences.

    Parameters
    ----------
    records : structured ndarray
        Stretches of pages in address order: ``address``, ``pages``, perhaps ``nbytes``, and last a
        field with a value that holds for the whole stretch.
    page_size : int
    """

    def __init__(self, records: Records, page_size: int) -> None:
        self._size, self._dtype = np.uintp(page_size), records.dtype
        self._value = str((records.dtype.names or ())[-1])
        # numpy would copy the whole column at each search.
        self._start = np.ascontiguousarray(records["address"])
        self._records = records

    def cut(self, rows: MemberRows) -> list[Records]:
        """Return, for each member of the rows, read-only records of its pages and bytes alone."""
        row, which, begin, end = self._parts(rows)
        member, value = rows.member[row], self._records[self._value][which]
        # Rows may touch, and so may records of one value.
        new = (begin[1:] != end[:-1]) | (value[1:] != value[:-1]) | (member[1:] != member[:-1])
        starts = np.flatnonzero(np.append(True, new)[: len(begin)])
        member, pages = member[starts], ((end - begin) // self._size).astype(np.int64)
        found = np.empty(len(starts), self._dtype)
        found["address"], found[self._value] = begin[starts], value[starts]
        found["pages"] = np.add.reduceat(pages, starts) if len(starts) else pages
        if "nbytes" in (self._dtype.names or ()):
            found["nbytes"] = rows.held(member, begin[starts], found["pages"])
        found.flags.writeable = False
        edges = np.searchsorted(member, rows.edges).tolist()
        return [found[low:high] for low, high in itertools.pairwise(edges)]

    def _parts(self, rows: MemberRows) -> tuple[Ints, Ints, Any, Any]:
        """Return row, record, begin and end of each part of a record that is within a row."""
        ends = rows.address + rows.pages.astype(np.uintp) * self._size
        # A record before a row may reach into it.
        first = np.maximum(np.searchsorted(self._start, rows.address, "right") - 1, 0)
        counts = np.maximum(np.searchsorted(self._start, ends) - first, 0)
        row = np.repeat(np.arange(len(counts)), counts)
        which = first[row] + index_within(counts)
        start, pages = self._start[which], self._records["pages"][which]
        begin = np.maximum(start, rows.address[row])
        end = np.minimum(start + pages.astype(np.uintp) * self._size, ends[row])
        inside = begin < end
        return row[inside], which[inside], begin[inside], end[inside]
