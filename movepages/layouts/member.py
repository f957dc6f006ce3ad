"""Member: one of several members that move together, with its pattern and its rows of pages."""

from __future__ import annotations

from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..pages.arguments import Addresses
from ..pages.page_set import PageSet, Rows, numbers_in, rows_of
from .patterns import Ints, Pattern

Mask: TypeAlias = "npt.NDArray[np.bool_]"


class Member:
    """One member: its pattern, and the rows of neighbouring pages that hold it."""

    def __init__(self, pattern: Pattern, footprint: PageSet) -> None:
        self.pattern, self.footprint = pattern, footprint
        size = footprint.page_size
        self.first = footprint.address // size * size
        self.last = (footprint.address + footprint.span - 1) // size * size

    @cached_property
    def _rows(self) -> Rows:
        return rows_of(self.footprint)

    def numbers(self, addresses: Addresses) -> tuple[Ints, Mask]:
        """Return the number of each page in the member, and whether it is one of its pages."""
        return numbers_in(self._rows, addresses, self.footprint.page_size)

    def part(self, first: int, last: int) -> tuple[Addresses, Ints, Ints]:
        """Return the rows from page `first` to `last`, and the number of the first page of each."""
        size = np.uintp(self.footprint.page_size)
        rows, pages = self._rows
        numbers = np.cumsum(pages) - pages
        ends = rows + pages.astype(np.uintp) * size
        begin = np.maximum(rows, np.uintp(first))
        end = np.minimum(ends, np.uintp(last) + size)
        some = begin < end
        begin, end, rows, numbers = begin[some], end[some], rows[some], numbers[some]
        numbers = numbers + ((begin - rows) // size).astype(np.int64)
        return begin, ((end - begin) // size).astype(np.int64), numbers
