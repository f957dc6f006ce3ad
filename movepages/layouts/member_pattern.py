"""MemberPattern: the node wanted for each page of several members."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ..pages.arguments import Addresses
from ..pages.named import NamedFootprints
from ..pages.page_set import PageSet, Rows, numbers_in, rows_of
from ..system.intervals import Intervals
from .patterns import NOWHERE, Everywhere, Ints, NodeArray, Pattern, may_shift

Mask: TypeAlias = "npt.NDArray[np.bool_]"

# Shared pages that are looked at together.
_PORTION = 1 << 16


class Part(NamedTuple):
    """The rows of pages of one member within a run, and the number of the first page of each."""

    member: _Member
    rows: Addresses
    pages: Ints
    numbers: Ints


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
        self.adapts = any(map(may_shift, patterns))
        self.torn = True
        counts: list[object] = [type(each).count_nowhere for each in patterns]
        self._everywhere = all(each is Everywhere.count_nowhere for each in counts)
        self._latest: tuple[Addresses, _Pages] | None = None

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
        counts = np.zeros(len(pages), np.int64)
        if self._everywhere:
            return counts
        for run, (first, count) in enumerate(zip(addresses.tolist(), pages.tolist(), strict=True)):
            last = first + (count - 1) * self._size
            parts = [Part(each, *each.part(first, last)) for each in self._within(first, last)]
            counts[run] = self._nowhere_in(parts)
        return counts

    def _nowhere_in(self, parts: Sequence[Part]) -> int:
        """Count the pages that no member has a target for."""
        size = np.uintp(self._size)
        ends = [part.rows + part.pages.astype(np.uintp) * size for part in parts]
        edges = np.unique(np.concatenate([*(part.rows for part in parts), *ends]))
        cover = np.zeros(len(edges), np.int64)
        for part, end in zip(parts, ends, strict=True):
            np.add.at(cover, np.searchsorted(edges, part.rows), 1)
            np.add.at(cover, np.searchsorted(edges, end), -1)
        shared = np.cumsum(cover) > 1
        total = 0
        for part, end in zip(parts, ends, strict=True):
            which, begin, until = Intervals(edges, np.empty(0, np.int64)).cut(part.rows, end)
            own = ~shared[np.searchsorted(edges, begin)]
            which, begin, until = which[own], begin[own], until[own]
            number = part.numbers[which] + ((begin - part.rows[which]) // size).astype(np.int64)
            pages = ((until - begin) // size).astype(np.int64)
            total += int(part.member.pattern.count_nowhere(number, begin, pages).sum())
        for place in np.flatnonzero(shared).tolist():
            total += self._nowhere_between(int(edges[place]), int(edges[place + 1]))
        return total

    def _nowhere_between(self, first: int, end: int) -> int:
        """Count the pages without a target among pages that members share, in portions."""
        step, total = _PORTION * self._size, 0
        for low in range(first, end, step):
            some = np.arange(low, min(low + step, end), self._size, dtype=np.uintp)
            total += int(np.count_nonzero(self._ask_members(some).wanted == NOWHERE))
        return total

    def _within(self, first: int, last: int) -> Iterator[_Member]:
        """Yield the members with pages from `first` to `last`, in address order."""
        low = int(np.searchsorted(self._reach, np.uintp(first)))
        high = int(np.searchsorted(self._first, np.uintp(last), "right"))
        return (each for each in self._members[low:high] if each.last >= first)

    def _look(self, addresses: Addresses) -> _Pages:
        if not len(addresses):
            none = np.empty(0, bool)
            return _Pages(np.empty(0, np.int32), none, none)
        known = self._latest
        if known is None or not np.array_equal(known[0], addresses):
            known = self._latest = addresses, self._ask_members(addresses)
        return known[1]

    def _ask_members(self, addresses: Addresses) -> _Pages:
        """Add up the bytes that are wanted on each node, page by page."""
        wanted = np.full(len(addresses), NOWHERE, np.int32)
        torn, adapting = np.zeros(len(addresses), bool), np.zeros(len(addresses), bool)
        votes = [_no_votes()]
        for member in self._within(int(addresses[0]), int(addresses[-1])):
            place, number = member.find(addresses)
            nodes = member.pattern.nodes_for(number, addresses[place])
            some = nodes != NOWHERE
            place, nodes = place[some], nodes[some].astype(np.int64)
            held = member.footprint.held(addresses[place], np.ones(len(place), np.int64))
            votes.append((place, nodes, held))
            torn[place] |= bool(getattr(member.pattern, "torn", False))
            adapting[place] |= may_shift(member.pattern)
        place, nodes, held = (np.concatenate(column) for column in zip(*votes, strict=True))
        order = np.lexsort((nodes, place))
        place, nodes, held = place[order], nodes[order], held[order]
        new = np.append(True, (place[1:] != place[:-1]) | (nodes[1:] != nodes[:-1]))[: len(place)]
        starts = np.flatnonzero(new)
        if len(starts):
            place, nodes, held = place[starts], nodes[starts], np.add.reduceat(held, starts)
        again = np.append(False, place[1:] == place[:-1])[: len(place)]
        torn[place[again]] = True
        # Of equal claims, the lowest node comes first.
        order = np.lexsort((nodes, -held, place))
        first = order[np.append(True, place[order][1:] != place[order][:-1])[: len(place)]]
        wanted[place[first]] = nodes[first]
        return _Pages(wanted, torn, adapting)


def _no_votes() -> tuple[Ints, Ints, Ints]:
    nothing = np.empty(0, np.int64)
    return nothing, nothing, nothing


class _Member:
    """One member: its pattern, and the rows of neighbouring pages that hold it."""

    def __init__(self, pattern: Pattern, footprint: PageSet) -> None:
        self.pattern, self.footprint = pattern, footprint
        size = footprint.page_size
        self.first = footprint.address // size * size
        self.last = (footprint.address + footprint.span - 1) // size * size

    @cached_property
    def _rows(self) -> Rows:
        return rows_of(self.footprint)

    def find(self, addresses: Addresses) -> tuple[Ints, Ints]:
        """Return the places of the member's pages in a list, and their numbers in the member."""
        size = np.uintp(self.footprint.page_size)
        low = int(np.searchsorted(addresses, np.uintp(self.first)))
        high = int(np.searchsorted(addresses, np.uintp(self.last), "right"))
        place = np.arange(low, high)
        if self.footprint.contiguous:
            return place, ((addresses[low:high] - np.uintp(self.first)) // size).astype(np.int64)
        numbers, inside = numbers_in(self._rows, addresses[low:high], self.footprint.page_size)
        return place[inside], numbers[inside]

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
