"""Tally: counts the outcome of a move, slice by slice."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import takewhile

from ..layouts.patterns import NodeArray
from ..pages.arguments import Addresses
from ..pages.page_set import PageSet
from ..results.member_results import MemberResults, MemberTargets, why_torn
from ..results.outcome import MoveResult
from .slice_record import SliceCounts, SliceRecord, sum_counts

# The slices whose counts are kept before they are summed up.
_FEW = 64


class Tally:
    """Counts of a move in progress; `result` is correct whenever a signal handler raises.

    A slice is recorded before it starts and replaced by its counts when it has ended. Each of these
    steps is a single store, so an exception cannot come in the middle of one.
    """

    def __init__(self, footprint: PageSet, members: MemberTargets | None = None) -> None:
        self._footprint, self._members = footprint, members
        self._start = time.perf_counter()
        self._parts: list[SliceRecord | SliceCounts] = []
        self._first_open = 0  # all parts before this one are counts

    def begin(
        self, addresses: Addresses, before: NodeArray, aside: SliceCounts | None = None
    ) -> SliceRecord:
        """Record and return the next slice, with no page attempted yet."""
        part = SliceRecord(addresses, before, self._footprint, aside, by_member=self.by_member)
        self._parts.append(part)
        return part

    @property
    def by_member(self) -> bool:
        """Whether the result has the outcome of each member."""
        return self._members is not None

    def add(self, counts: SliceCounts) -> None:
        """Record pages that are placed or absent, and stay."""
        self._parts.append(counts)
        self._sum_up()

    def count_finished(self, keep: int = 0) -> None:
        """Replace slices by their counts, except the last `keep`."""
        end = max(len(self._parts) - keep, 0)
        for index in range(self._first_open, end):
            self._parts[index] = self._parts[index].counts()
        self._first_open = end
        if self._parts:
            self._sum_up()

    def _sum_up(self) -> None:
        """Sum up slices that have ended, so that memory grows with the runs, not the slices."""
        first = self._parts[0]
        # Summing copies all runs, so the more there are, the more slices have to come before it.
        if not isinstance(first, SliceCounts):
            return
        copied = max(len(first.runs), len(first.outcomes))
        if len(self._parts) > _FEW + copied // 8:
            ended = list(takewhile(lambda part: isinstance(part, SliceCounts), self._parts))
            self._parts = [self._sum(ended), *self._parts[len(ended) :]]
            self._first_open = max(self._first_open - len(ended) + 1, 1)

    def _sum(self, parts: Sequence[SliceRecord | SliceCounts]) -> SliceCounts:
        return sum_counts([part.counts() for part in parts], self._footprint.page_size)

    def result(self) -> MoveResult:
        """Return the outcome so far; pages of later slices count as not attempted."""
        total, pages = self._sum(self._parts), self._footprint.pages
        members = self._members
        return MoveResult(
            pages=pages,
            moved=total.moved,
            already_there=total.already_there,
            failures=total.failures,
            untargeted=total.untargeted,
            overruled=total.overruled,
            torn=total.torn,
            split=total.split,
            rounds=total.rounds,
            not_attempted=pages - total.moved - total.already_there - sum(total.failures.values()),
            seconds=time.perf_counter() - self._start,
            _runs=total.runs,
            _members=None if members is None else MemberResults(total.outcomes, members),
            _why_torn=why_torn(members and members.target),
        )
