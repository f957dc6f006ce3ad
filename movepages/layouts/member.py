"""Member: one of several members that move together, with its pattern and its rows of pages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ..pages.arguments import Addresses
from ..pages.page_set import PageSet, Rows, numbers_in, rows_of
from .patterns import Ints, Pattern
from .rotation import FIXED, SHIFTS, Mask, Rotation, last_page, rotation_over
from .shifted import Shifted, may_shift


class Member:
    """One member: its pattern, and the rows of neighbouring pages that hold it."""

    def __init__(self, pattern: Pattern, footprint: PageSet) -> None:
        self.pattern, self.footprint = pattern, footprint
        self.first = footprint.address // footprint.page_size * footprint.page_size
        self.last = last_page(footprint)

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


def rotations_of(members: Sequence[Member]) -> tuple[list[Rotation], Ints]:
    """Return the rotations of some members, and the index of each member's rotation.

    Members in sequence have one in common. Instead of an index, the other members have `FIXED` or
    `SHIFTS`.
    """
    rotations: list[Rotation] = []
    known: dict[int, int] = {}
    index = np.empty(len(members), np.int64)
    for place, member in enumerate(members):
        rotation = _rotation_of(member)
        if rotation is None:
            index[place] = SHIFTS if may_shift(member.pattern) else FIXED
            continue
        index[place] = known.setdefault(id(rotation), len(rotations))
        if index[place] == len(rotations):
            rotations.append(rotation)
    return rotations, index


def _rotation_of(member: Member) -> Rotation | None:
    if isinstance(member.pattern, Shifted):
        return member.pattern.rotation
    return rotation_over(member.pattern, [member.footprint])
