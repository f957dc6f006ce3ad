"""Tally: counts the outcome of a move, slice by slice."""

from __future__ import annotations

import time
from collections import Counter

from ..layouts.patterns import NodeArray
from ..pages.arguments import Addresses
from ..pages.page_set import PageSet
from ..pages.runs import join_runs
from ..results.member_results import MemberResults, MemberTargets, why_torn
from ..results.outcome import MoveResult
from ..results.status import PageStatus
from .slice_record import SliceCounts, SliceRecord


class Tally:
    """Counts of a move in progress; `result` is correct whenever a signal handler raises.

    A slice is recorded before it starts and replaced by its counts when it has ended. Each of these
    steps is a single store, so an exception cannot come in the middle of one.
    """

    def __init__(self, footprint: PageSet, members: MemberTargets | None = None) -> None:
        self._footprint, self._members = footprint, members
        self._start = time.perf_counter()
        self._parts: list[SliceRecord | SliceCounts] = []

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

    def count_finished(self, keep: int = 0) -> None:
        """Replace slices by their counts, except the last `keep`."""
        for index in range(max(len(self._parts) - keep - 2, 0), len(self._parts) - keep):
            self._parts[index] = self._parts[index].counts()

    def result(self) -> MoveResult:
        """Return the outcome so far; pages of later slices count as not attempted."""
        parts = [part.counts() for part in self._parts]
        failures: Counter[PageStatus] = Counter()
        for part in parts:
            failures.update(part.failures)
        moved = sum(part.moved for part in parts)
        already_there = sum(part.already_there for part in parts)
        pages = self._footprint.pages
        return MoveResult(
            pages=pages,
            moved=moved,
            already_there=already_there,
            failures=dict(failures),
            untargeted=sum(part.untargeted for part in parts),
            overruled=sum(part.overruled for part in parts),
            torn=sum(part.torn for part in parts),
            split=sum(part.split for part in parts),
            rounds=max((part.rounds for part in parts), default=0),
            not_attempted=pages - moved - already_there - failures.total(),
            seconds=time.perf_counter() - self._start,
            _runs=join_runs([part.runs for part in parts], self._footprint.page_size),
            _members=self._by_member_of(parts),
            _why_torn=why_torn(self._members and self._members.target),
        )

    def _by_member_of(self, parts: list[SliceCounts]) -> MemberResults | None:
        if self._members is None:
            return None
        outcomes = join_runs([part.outcomes for part in parts], self._footprint.page_size)
        return MemberResults(outcomes, self._members)
