"""MemberPattern: the node wanted for each page of several members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..pages.arguments import Addresses
from ..pages.named import NamedFootprints
from ..results.wording import TORN, TORN_EDGES
from ..system.intervals import Intervals
from .member import Member
from .member_votes import MemberVotes, Votes
from .patterns import NOWHERE, Everywhere, Ints, NodeArray, Pattern
from .rotation import FIXED, Claims, Mask

# Shared pages that are looked at together.
_PORTION = 1 << 16


class Part(NamedTuple):
    """The rows of pages of one member within a run, and the number of the first page of each."""

    member: Member
    rows: Addresses
    pages: Ints
    numbers: Ints


class _Pages(NamedTuple):
    """What the members want of some pages."""

    wanted: NodeArray
    torn: Mask
    votes: Votes


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
        self._members = MemberVotes(patterns, footprints)
        self._size = footprints.page_size
        self.distinct = sorted({node for each in patterns for node in each.distinct})
        self.rotations = self._members.rotations
        # These say whether any page may be so; `claims` and `torn_at` say which.
        self.adapts = bool((self._members.rotation != FIXED).any())
        self.torn = True
        self.why_torn = f"{TORN_EDGES}; or {TORN}" if self._members.torn.any() else TORN_EDGES
        counts: list[object] = [type(each).count_nowhere for each in patterns]
        self._everywhere = all(each is Everywhere.count_nowhere for each in counts)
        self._latest: tuple[Addresses, _Pages] | None = None

    def nodes_for(self, index: Ints, addresses: Addresses) -> NodeArray:
        """Return the wanted node of each page."""
        return self._look(addresses).wanted

    def torn_at(self, addresses: Addresses) -> Mask:
        """Return which pages hold parts that are wanted on several nodes."""
        return self._look(addresses).torn

    def claims(self, addresses: Addresses) -> Claims:
        """Return the rotations of all members that have a target for some of the pages."""
        votes = self._look(addresses).votes
        return Claims(votes.place, self._members.rotation[votes.member])

    def foreign(self, addresses: Addresses, nodes: NodeArray) -> Mask:
        """Return which pages would be on nodes that a member with movable borders never wants."""
        return self._members.foreign(self._look(addresses).votes, nodes)

    def count_nowhere(self, index: Ints, addresses: Addresses, pages: Ints) -> Ints:
        """Count the pages without a target in each run of neighbouring pages."""
        counts = np.zeros(len(pages), np.int64)
        if self._everywhere:
            return counts
        for run, (first, count) in enumerate(zip(addresses.tolist(), pages.tolist(), strict=True)):
            last = first + (count - 1) * self._size
            parts = [
                Part(each, *each.part(first, last)) for each in self._members.within(first, last)
            ]
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

    def _look(self, addresses: Addresses) -> _Pages:
        known = self._latest
        if known is None or not np.array_equal(known[0], addresses):
            known = self._latest = addresses, self._ask_members(addresses)
        return known[1]

    def _ask_members(self, addresses: Addresses) -> _Pages:
        """Add up the bytes that are wanted on each node, page by page."""
        wanted = np.full(len(addresses), NOWHERE, np.int32)
        torn = np.zeros(len(addresses), bool)
        votes = self._members.at(addresses)
        torn[votes.place[self._members.torn[votes.member]]] = True
        place, node, held = votes.sums()
        again = np.append(False, place[1:] == place[:-1])[: len(place)]
        torn[place[again]] = True
        # Of equal claims, the lowest node comes first.
        order = np.lexsort((node, -held, place))
        first = order[np.append(True, place[order][1:] != place[order][:-1])[: len(place)]]
        wanted[place[first]] = node[first]
        return _Pages(wanted, torn, votes)
