"""SliceRecord: what is known of each page of the slice that is moving now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ..layouts.patterns import NOWHERE, NodeArray
from ..pages.arguments import Addresses
from ..pages.page_set import PageSet
from ..pages.runs import Runs, Statuses, find_runs, join_runs, totals
from ..results.counting import count_failures
from ..results.member_results import NO_RUNS, encode
from ..results.status import PageStatus

Indices: TypeAlias = "npt.NDArray[np.int64]"
Mask: TypeAlias = "npt.NDArray[np.bool_]"
# Which pages of a slice the current call moves, their entries in its status array, and that array.
_Expected: TypeAlias = "tuple[Indices, Indices, Statuses]"

_BUSY, _NOT_ATTEMPTED = PageStatus.EBUSY.value, PageStatus.NOT_ATTEMPTED.value


class SliceRecord:
    """A slice of pages on its way through a move.

    Attributes
    ----------
    addresses : ndarray of uintp
        The pages in address order.
    before, wanted, target : ndarray of int32
        Node of each page before the move; node wanted for it; node that its huge page goes to.
        `wanted` and `target` are negative for pages that stay where they are.
    split, rounds : int
        Huge pages that were split; turns that were taken.

    Notes
    -----
    `status` and `there` tell the state of each page:

    ============= ==================== =====================================================
    state         status               meaning
    ============= ==================== =====================================================
    not attempted NOT_ATTEMPTED        the kernel was not asked yet; the state of all at first
    in place      target, and `there`  on its target before the move
    expected      in the call's array  the call that moves it has begun
    moved         target               on its target now
    failed        negative             still off its target: busy, absent, no memory
    ============= ==================== =====================================================

    A placed page is overruled if its target is not the node wanted for it. The record is true at
    any moment at which a signal handler may raise, because each change is a single store.
    """

    def __init__(
        self,
        addresses: Addresses,
        before: NodeArray,
        footprint: PageSet,
        aside: SliceCounts | None = None,
        *,
        by_member: bool = False,
    ) -> None:
        self.addresses, self.before = addresses, before
        self.split = self.rounds = 0
        self.torn: Mask | bool = False
        # Targets are unknown at first, which is not the same as NOWHERE.
        self.target = self.wanted = np.zeros(len(addresses), np.int32)
        self.record(
            np.full(len(addresses), _NOT_ATTEMPTED, np.int32), np.zeros(len(addresses), bool)
        )
        self._aside, self._footprint, self._by_member = aside, footprint, by_member

    def record(self, status: Statuses, there: Mask) -> None:
        """Set the status of every page, and whether it was on its target before."""
        self._known: tuple[Statuses, Mask, _Expected | None] = status, there, None

    def update(self, pages: Indices, status: Statuses, there: Mask | None = None) -> None:
        """Set the status of some pages, and, if given, whether they were on their target before."""
        all_status, all_there = self.status.copy(), self.there
        all_status[pages] = status
        if there is not None:
            all_there = all_there.copy()
            all_there[pages] = there
        self.record(all_status, all_there)

    def expect(self, pages: Indices, entries: Indices, count: int) -> Statuses:
        """Return a status array for a call to write; `status[entries]` is that of `pages`.

        If a signal handler raises right after the call, its outcome is already recorded.
        """
        status = np.full(count, _NOT_ATTEMPTED, np.int32)
        self._known = self._known[0], self._known[1], (pages, entries, status)
        return status

    def take_expected(self) -> None:
        """Record what the call has written, before its array is used again."""
        self.record(self.status, self.there)

    @property
    def status(self) -> Statuses:
        """Status of each page."""
        status, _, expected = self._known
        if expected is None:
            return status
        pages, entries, written = expected
        status = status.copy()
        status[pages] = written[entries]
        return status

    @property
    def there(self) -> Mask:
        """Whether each page was on its target before."""
        return self._known[1]

    @property
    def moved(self) -> int:
        """Number of pages that moved to their target."""
        return int(np.count_nonzero((self.status >= 0) & ~self.there))

    def busy(self) -> Mask:
        """Return which pages have a target and failed with EBUSY."""
        busy: Mask = (self.status == _BUSY) & (self.target != NOWHERE)
        return busy

    def overruled(self) -> Mask:
        """Return which pages are on their target, which is not the node that was wanted."""
        status = self.status
        overruled: Mask = (status >= 0) & (status != self.wanted) & (self.wanted != NOWHERE)
        return overruled

    def counts(self) -> SliceCounts:
        """Return the counts so far."""
        status, there, overruled = self.status, self.there, self.overruled()
        others = status[~there] if there.any() else status
        torn = (status >= 0) & (self.target != NOWHERE) & ~overruled & self.torn
        untargeted = (status == _NOT_ATTEMPTED) & (self.target == NOWHERE) & ~there
        known = SliceCounts(
            pages=len(status),
            moved=int(np.count_nonzero(others >= 0)),
            already_there=len(status) - len(others),
            failures=count_failures(others),
            untargeted=int(np.count_nonzero(untargeted)),
            overruled=int(np.count_nonzero(overruled)),
            torn=int(np.count_nonzero(torn)),
            split=self.split,
            rounds=self.rounds,
            runs=find_runs(self.addresses, status, self._footprint),
            outcomes=self._outcomes(status, overruled, torn, untargeted),
        )
        return known if self._aside is None else known.beside(self._aside)

    def _outcomes(self, status: Statuses, overruled: Mask, torn: Mask, untargeted: Mask) -> Runs:
        """Return what became of each page if the result has the outcome of each member."""
        if not self._by_member:
            return NO_RUNS
        codes = encode(status, there=self.there, overruled=overruled, torn=torn, stays=untargeted)
        return find_runs(self.addresses, codes, self._footprint)


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
    outcomes: Runs

    def counts(self) -> SliceCounts:
        """Return these counts, which are final."""
        return self

    def beside(self, aside: SliceCounts) -> SliceCounts:
        """Return the counts together with those of runs that needed no move."""
        return self._replace(
            pages=self.pages + aside.pages,
            already_there=self.already_there + aside.already_there,
            failures=Counter(self.failures) + Counter(aside.failures),
            runs=_merged(self.runs, aside.runs),
            outcomes=_merged(self.outcomes, aside.outcomes),
        )


def sum_counts(parts: Sequence[SliceCounts], page_size: int) -> SliceCounts:
    """Return the counts of consecutive slices as those of one."""
    failures: Counter[PageStatus] = Counter()
    for part in parts:
        failures.update(part.failures)
    return SliceCounts(
        pages=sum(part.pages for part in parts),
        moved=sum(part.moved for part in parts),
        already_there=sum(part.already_there for part in parts),
        failures=dict(failures),
        untargeted=sum(part.untargeted for part in parts),
        overruled=sum(part.overruled for part in parts),
        torn=sum(part.torn for part in parts),
        split=sum(part.split for part in parts),
        rounds=max((part.rounds for part in parts), default=0),
        runs=join_runs([part.runs for part in parts], page_size),
        outcomes=join_runs([part.outcomes for part in parts], page_size),
    )


def _merged(some: Runs, others: Runs) -> Runs:
    """Return the runs of both in address order."""
    runs = np.concatenate((some, others))
    return runs[np.argsort(runs["address"], kind="stable")]


def counts_of_runs(
    runs: Runs, nowhere: Indices | None = None, *, by_member: bool = False
) -> SliceCounts:
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
    outcomes = NO_RUNS
    if by_member:
        outcomes = runs.copy()
        outcomes["status"] = encode(runs["status"], there=runs["status"] >= 0, aside=True)
    there = pages - sum(failures.values())
    return SliceCounts(pages, 0, there, failures, 0, 0, 0, 0, 0, runs, outcomes)
