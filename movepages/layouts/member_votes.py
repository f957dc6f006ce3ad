"""MemberVotes: which node each of several members wants for the pages that it shares or owns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..pages.arguments import Addresses
from ..pages.named import NamedFootprints
from ..system.intervals import index_within
from .member import Member, rotations_of
from .patterns import NOWHERE, Ints, NodeArray, Pattern
from .rotation import SHIFTS, Mask


class Votes(NamedTuple):
    """One record for each page of each member that has a target for it.

    Attributes
    ----------
    place : ndarray of int64
        Place of the page in the list of pages asked for.
    member : ndarray of int64
        Index of the member.
    node, held : ndarray of int64
        The node wanted, and how many bytes the member has in the page.
    """

    place: Ints
    member: Ints
    node: Ints
    held: Ints

    def sums(self) -> tuple[Ints, Ints, Ints]:
        """Return place, node and bytes in this order, the bytes for one node of a page added up."""
        order = np.lexsort((self.node, self.place))
        place, node, held = self.place[order], self.node[order], self.held[order]
        new = np.append(True, (place[1:] != place[:-1]) | (node[1:] != node[:-1]))[: len(place)]
        starts = np.flatnonzero(new)
        if len(starts):
            place, node, held = place[starts], node[starts], np.add.reduceat(held, starts)
        return place, node, held


class MemberVotes:
    """The members with pages, in the order of their addresses, and what they want.

    Parameters
    ----------
    patterns : sequence of Pattern
        One for each member; an index is that of a page within its member.
    footprints : NamedFootprints
        The members.

    Attributes
    ----------
    torn : ndarray of bool
        Whether the pattern of each member tears pages.
    rotations : list of Rotation
    rotation : ndarray of int64
        The index of each member's rotation, or `FIXED` or `SHIFTS`.
    """

    def __init__(self, patterns: Sequence[Pattern], footprints: NamedFootprints) -> None:
        self._members = [
            Member(pattern, footprint)
            for pattern, footprint in zip(patterns, footprints, strict=True)
            if footprint.pages
        ]
        self._members.sort(key=lambda member: member.first)
        self._size = np.uintp(footprints.page_size)
        self._first = np.array([member.first for member in self._members], np.uintp)
        self._last = np.array([member.last for member in self._members], np.uintp)
        self._reach = np.maximum.accumulate(self._last)
        self._begin = np.array([each.footprint.address for each in self._members], np.uintp)
        span = np.array([each.footprint.span for each in self._members], np.uintp)
        self._end = self._begin + span
        patterns = [each.pattern for each in self._members]
        self.torn = np.array([getattr(each, "torn", False) for each in patterns], bool)
        self.rotations, self.rotation = rotations_of(self._members)

    def within(self, first: int, last: int) -> list[Member]:
        """Return the members with pages from `first` to `last`, in address order."""
        return [self._members[each] for each in self._within(first, last).tolist()]

    def _within(self, first: int, last: int) -> Ints:
        low = int(np.searchsorted(self._reach, np.uintp(first)))
        high = int(np.searchsorted(self._first, np.uintp(last), "right"))
        found: Ints = low + np.flatnonzero(self._last[low:high] >= np.uintp(first))
        return found

    def at(self, addresses: Addresses) -> Votes:
        """Return what the members want of pages in address order."""
        some = np.empty(0, np.int64)
        if len(addresses):
            some = self._within(int(addresses[0]), int(addresses[-1]))
        first = self._first[some]
        low = np.searchsorted(addresses, first)
        counts = np.searchsorted(addresses, self._last[some], "right") - low
        which = np.repeat(np.arange(len(some)), counts)
        place, member = low[which] + index_within(counts), some[which]
        page = addresses[place]
        # These are right for members without gaps; the others are asked one by one.
        number = ((page - first[which]) // self._size).astype(np.int64)
        begin, end = np.maximum(page, self._begin[member]), page + self._size
        held = (np.minimum(end, self._end[member]) - begin).astype(np.int64)
        node = np.full(len(place), NOWHERE, np.int64)
        ends = np.cumsum(counts)
        lists = (column.tolist() for column in (some, ends - counts, ends))
        for index, low, high in zip(*lists, strict=True):
            if low == high:
                continue
            each, pages = self._members[index], page[low:high]
            if each.footprint.contiguous:
                node[low:high] = each.pattern.nodes_for(number[low:high], pages)
                continue
            numbers, inside = each.numbers(pages)
            held[low:high] = each.footprint.held(pages, np.ones(len(pages), np.int64))
            node[low:high][inside] = each.pattern.nodes_for(numbers[inside], pages[inside])
        targeted = node != NOWHERE
        return Votes(place[targeted], member[targeted], node[targeted], held[targeted])

    def foreign(self, votes: Votes, nodes: NodeArray) -> Mask:
        """Return which pages would be on nodes that a member with movable borders never wants."""
        found = np.zeros(len(nodes), bool)
        shifts = self.rotation[votes.member] == SHIFTS
        place, member = votes.place[shifts], votes.member[shifts]
        alike: dict[tuple[int, ...], list[int]] = {}
        for index in np.unique(member).tolist():
            alike.setdefault(tuple(self._members[index].pattern.distinct), []).append(index)
        for own, members in alike.items():
            pages = place[np.isin(member, members)]
            found[pages] |= ~np.isin(nodes[pages], own)
        return found
