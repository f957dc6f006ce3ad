"""MemberPattern: the node wanted for each page of several members."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ..pages.arguments import Addresses
from ..pages.named import NamedFootprints
from ..pages.page_set import PageSet
from .patterns import NOWHERE, Ints, NodeArray, Pattern

Mask: TypeAlias = "npt.NDArray[np.bool_]"


class _Pages(NamedTuple):
    """What the members want of some pages."""

    wanted: NodeArray
    torn: Mask
    adapting: Mask


class MemberPattern:
    """The patterns of several members; a page that members share goes where most of it is wanted.

    Such a page counts as torn if another member wants its part on another node.

    Parameters
    ----------
    patterns : sequence of Pattern
        One for each member; an index is that of a page within its member.
    footprints : NamedFootprints
        The members.
    """

    only = None
    shares = None

    def __init__(self, patterns: Sequence[Pattern], footprints: NamedFootprints) -> None:
        self._members = [
            _Member(pattern, footprint)
            for pattern, footprint in zip(patterns, footprints, strict=True)
            if footprint.pages
        ]
        self._members.sort(key=lambda member: member.first)
        self._size = footprints.page_size
        self._first = np.array([member.first for member in self._members], np.uintp)
        last = np.array([member.last for member in self._members], np.uintp)
        self._reach = np.maximum.accumulate(last) if len(last) else last
        self.distinct = sorted({node for each in patterns for node in each.distinct})
        # These say whether any page may be so; `adapting` and `torn_at` say which.
        self.adapts = any(getattr(each, "adapts", False) for each in patterns)
        self.torn = True
        self._latest: tuple[tuple[int, int, int], _Pages] | None = None

    def nodes_for(self, index: Ints, addresses: Addresses) -> NodeArray:
        """Return the wanted node of each page."""
        return self._look(addresses).wanted

    def torn_at(self, addresses: Addresses) -> Mask:
        """Return which pages hold parts that are wanted on several nodes."""
        return self._look(addresses).torn

    def adapting(self, addresses: Addresses) -> Mask:
        """Return which pages are in members whose borders may move to huge page borders."""
        return self._look(addresses).adapting

    def count_nowhere(self, index: Ints, addresses: Addresses, pages: Ints) -> Ints:
        """Count the pages without a target in each run of neighbouring pages."""
        size = np.uintp(self._size)
        counts = np.zeros(len(pages), np.int64)
        for run, (first, count) in enumerate(zip(addresses.tolist(), pages.tolist(), strict=True)):
            # Members are in address order. A page that the one before has is counted already.
            done, last = first, first + (count - 1) * self._size
            for member in self._within(first, last):
                rows, lengths, numbers = member.part(max(done, first), last)
                if len(rows):
                    counts[run] += member.pattern.count_nowhere(numbers, rows, lengths).sum()
                    done = int(rows[-1] + lengths[-1].astype(np.uintp) * size)
        return counts

    def _within(self, first: int, last: int) -> Iterator[_Member]:
        """Yield the members with pages from `first` to `last`, in address order."""
        low = int(np.searchsorted(self._reach, np.uintp(first)))
        high = int(np.searchsorted(self._first, np.uintp(last), "right"))
        return (each for each in self._members[low:high] if each.last >= first)

    def _look(self, addresses: Addresses) -> _Pages:
        if not len(addresses):
            none = np.empty(0, bool)
            return _Pages(np.empty(0, np.int32), none, none)
        key = int(addresses[0]), int(addresses[-1]), len(addresses)
        if self._latest is None or self._latest[0] != key:
            self._latest = key, self._ask_members(addresses)
        return self._latest[1]

    def _ask_members(self, addresses: Addresses) -> _Pages:
        wanted = np.full(len(addresses), NOWHERE, np.int32)
        most = np.zeros(len(addresses), np.int64)
        torn, adapting = np.zeros(len(addresses), bool), np.zeros(len(addresses), bool)
        for member in self._within(int(addresses[0]), int(addresses[-1])):
            place, number = member.find(addresses)
            pages = addresses[place]
            nodes = member.pattern.nodes_for(number, pages)
            held = member.footprint.held(pages, np.ones(len(pages), np.int64))
            known = (nodes != NOWHERE) & (wanted[place] != NOWHERE)
            torn[place] |= known & (nodes != wanted[place])
            if getattr(member.pattern, "torn", False):
                torn[place] = True
            ahead = (nodes != NOWHERE) & ((held > most[place]) | (wanted[place] == NOWHERE))
            place = place[ahead]
            wanted[place], most[place] = nodes[ahead], held[ahead]
            adapting[place] = bool(getattr(member.pattern, "adapts", False))
        return _Pages(wanted, torn, adapting)


class _Member:
    """One member, with the rows of pages that hold it."""

    def __init__(self, pattern: Pattern, footprint: PageSet) -> None:
        self.pattern, self.footprint = pattern, footprint
        size = footprint.page_size
        self.first = footprint.address // size * size
        self.last = (footprint.address + footprint.span - 1) // size * size

    def _rows(self) -> tuple[Addresses, Ints]:
        parts = list(self.footprint.ranges())
        addresses, pages = (np.concatenate(column) for column in zip(*parts, strict=True))
        return addresses, pages

    def find(self, addresses: Addresses) -> tuple[Ints, Ints]:
        """Return the places of the member's pages in a list, and their numbers in the member."""
        size = np.uintp(self.footprint.page_size)
        low = int(np.searchsorted(addresses, np.uintp(self.first)))
        high = int(np.searchsorted(addresses, np.uintp(self.last), "right"))
        place = np.arange(low, high)
        if self.footprint.contiguous:
            return place, ((addresses[low:high] - np.uintp(self.first)) // size).astype(np.int64)
        rows, pages = self._rows()
        row = np.searchsorted(rows, addresses[low:high], "right") - 1
        within = ((addresses[low:high] - rows[row]) // size).astype(np.int64)
        inside = within < pages[row]
        before = np.cumsum(pages) - pages
        return place[inside], (before[row] + within)[inside]

    def part(self, first: int, last: int) -> tuple[Addresses, Ints, Ints]:
        """Return the rows from page `first` to `last`, and the number of the first page of each."""
        size = np.uintp(self.footprint.page_size)
        rows, pages = self._rows()
        numbers = np.cumsum(pages) - pages
        ends = rows + pages.astype(np.uintp) * size
        begin = np.maximum(rows, np.uintp(first))
        end = np.minimum(ends, np.uintp(last) + size)
        some = begin < end
        begin, end, rows, numbers = begin[some], end[some], rows[some], numbers[some]
        numbers = numbers + ((begin - rows) // size).astype(np.int64)
        return begin, ((end - begin) // size).astype(np.int64), numbers
