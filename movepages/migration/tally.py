"""Tally: counts the outcome of a move, slice by slice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ..layouts.patterns import NOWHERE
from ..pages.footprint import Footprint
from ..pages.runs import Runs, Statuses, find_runs, join_runs, totals
from ..results.counting import count_failures
from ..results.outcome import MoveResult
from ..results.status import PageStatus

_Outcome: TypeAlias = "tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Statuses]"


class SliceRecord:
    """The slice of pages that is moving now, with their statuses so far.

    `aside` holds the counts of runs between these pages that need no move.
    """

    def __init__(
        self,
        addresses: npt.NDArray[np.uintp],
        footprint: Footprint,
        aside: SliceCounts | None = None,
    ) -> None:
        self.addresses = addresses
        self._aside = aside
        self.split = self.rounds = 0
        self.is_torn = False
        # Targets are unknown at first, which is not the same as NOWHERE.
        self.target = self.wanted = np.zeros(len(addresses), np.int32)
        self.tell(
            np.full(len(addresses), PageStatus.NOT_ATTEMPTED.value, np.int32),
            np.zeros(len(addresses), bool),
        )
        self._footprint = footprint

    def tell(self, status: Statuses, there: npt.NDArray[np.bool_]) -> None:
        """Set both arrays in one store, so that no signal handler sees one without the other."""
        self._told: tuple[Statuses, npt.NDArray[np.bool_], _Outcome | None] = status, there, None

    def expect(
        self, pages: npt.NDArray[np.int64], of: npt.NDArray[np.int64], said: Statuses
    ) -> None:
        """Take the status of these pages from `said[of]`, which a call is about to write.

        If a signal handler raises right after the call, its outcome is already recorded.
        """
        self._told = self._told[0], self._told[1], (pages, of, said)

    @property
    def status(self) -> Statuses:
        """Status of each page."""
        status, _, expected = self._told
        if expected is None:
            return status
        pages, of, said = expected
        status = status.copy()
        status[pages] = said[of]
        return status

    @property
    def there(self) -> npt.NDArray[np.bool_]:
        """Whether each page was on its target before."""
        return self._told[1]

    def _overruled(self, status: Statuses) -> npt.NDArray[np.bool_]:
        """Return which pages went elsewhere with their huge page."""
        elsewhere: npt.NDArray[np.bool_] = (
            (status >= 0) & (status != self.wanted) & (self.wanted != NOWHERE)
        )
        return elsewhere

    def sum(self) -> SliceCounts:
        """Return the counts so far."""
        status, there = self.status, self.there
        others = status[~there] if there.any() else status
        overruled = self._overruled(status)
        torn = (status >= 0) & (self.target != NOWHERE) & ~overruled
        known = SliceCounts(
            pages=len(status),
            moved=int(np.count_nonzero(others >= 0)),
            already_there=len(status) - len(others),
            failures=count_failures(others),
            untargeted=int(
                np.count_nonzero(
                    (status == PageStatus.NOT_ATTEMPTED.value) & (self.target == NOWHERE) & ~there
                )
            ),
            overruled=int(np.count_nonzero(overruled)),
            torn=int(np.count_nonzero(torn)) if self.is_torn else 0,
            split=self.split,
            rounds=self.rounds,
            runs=find_runs(self.addresses, status, self._footprint),
        )
        return known if self._aside is None else known.beside(self._aside)


class SliceCounts(NamedTuple):
    """Final counts of one slice."""

    pages: int
    moved: int
    already_there: int
    failures: Mapping[PageStatus, int]
    untargeted: int
    overruled: int
    torn: int
    split: int
    rounds: int
    runs: Runs

    def sum(self) -> SliceCounts:
        """Return these counts, which are final."""
        return self

    def beside(self, aside: SliceCounts) -> SliceCounts:
        """Return the counts together with those of runs that needed no move."""
        runs = np.concatenate((self.runs, aside.runs))
        return self._replace(
            pages=self.pages + aside.pages,
            already_there=self.already_there + aside.already_there,
            failures=Counter(self.failures) + Counter(aside.failures),
            runs=runs[np.argsort(runs["address"], kind="stable")],
        )


def sum_aside(runs: Runs, nowhere: npt.NDArray[np.int64] | None = None) -> SliceCounts:
    """Count runs whose pages are placed or absent, and stay.

    `nowhere` is the number of pages in each absent run that have no target: these are as wanted.
    """
    counts = totals(runs, "pages")
    pages = sum(counts.values())
    failures = {PageStatus(status): n for status, n in counts.items() if status < 0}
    if nowhere is not None:
        for status in failures:
            failures[status] -= int(nowhere[runs["status"] == status.value].sum())
        failures = {status: n for status, n in failures.items() if n}
    return SliceCounts(pages, 0, pages - sum(failures.values()), failures, 0, 0, 0, 0, 0, runs)


class Tally:
    """Counts of a move in progress; `result` is true at any moment a signal handler may raise.

    Each step is therefore a single store: a slice is recorded before it starts, and replaced by its
    counts when it is over.
    """

    def __init__(self, footprint: Footprint) -> None:
        self._footprint = footprint
        self._start = time.perf_counter()
        self._parts: list[SliceRecord | SliceCounts] = []

    def begin(
        self, addresses: npt.NDArray[np.uintp], aside: SliceCounts | None = None
    ) -> SliceRecord:
        """Record and return the next slice, with no page attempted yet."""
        part = SliceRecord(addresses, self._footprint, aside)
        self._parts.append(part)
        return part

    def add(self, settled: SliceCounts) -> None:
        """Record pages that are placed or absent, and stay."""
        self._parts.append(settled)

    def settle(self, keep: int = 0) -> None:
        """Replace slices by their counts, except the last `keep`."""
        for index in range(max(len(self._parts) - keep - 2, 0), len(self._parts) - keep):
            self._parts[index] = self._parts[index].sum()

    def result(self) -> MoveResult:
        """Return the outcome so far; pages of later slices count as not attempted."""
        parts = [part.sum() for part in self._parts]
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
            recorded=join_runs((part.runs for part in parts), self._footprint.page_size),
        )
