"""MoveResult: what became of every page of a move."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from .absence import Absence, Absences, count_reasons, describe_reasons, nothing_absent
from .errors import PageStatus, make_error
from .runs import RUN_DTYPE, Runs, Statuses, per_page_status, restore_read_only, totals
from .units import format_pages

# Why pages are overruled, and what to do about it.
OVERRULED = (
    'the target cuts through huge pages, which move as a whole; on_conflict="split" splits these '
    "first, so that each small page can be where it is wanted"
)
# The same of pages that are torn.
TORN = (
    "the layout cuts through single pages, each of which is on one node; divide another axis, or "
    "copy the array to the other order first, such as by np.asfortranarray()"
)

# Address, pages, bytes and status, as RUN_DTYPE has them.
Run: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class MoveResult:
    """Outcome of a move as page counts that always add up.

    ``moved + already_there + failed + not_attempted == pages``.

    Attributes
    ----------
    pages : int
        Pages the move was about.
    moved : int
        Pages brought to their target. Where `already_there` is None, pages that are on their
        target now, whether they were there before or not.
    already_there : int or None
        Pages found on their target; for a query, which has none, on any node. None where nobody
        looked before moving, which is so for an error raised by `move_pages`.
    failures : mapping of PageStatus to int
        Pages that are not on their target, by reason.
    not_attempted : int
        Pages the kernel was not asked to move: the call ended before, or they are `untargeted`.
    untargeted : int
        Of these, pages that had no target and stay: a placement says nothing of what was absent.
    overruled : int
        Pages that are not where they were wanted because the target cut through a huge page, which
        moves as a whole. They are counted above as pages of the node the huge page was sent to.
    torn : int
        Pages on their target of which a part was wanted elsewhere, because the layout cuts through
        single pages: see `by_axis`.
    split : int
        Huge pages that were split into small ones, by ``on_conflict="split"``.
    rounds : int
        Turns the kernel got at most: 0 where nothing was to move, 1 without a retry.
    seconds : float
        Wall time the move took.
    absences : structured ndarray, read-only
        Of a move that ended by itself: one record for each stretch of absent pages of one kind,
        ``address``, ``pages`` and ``reason``, an `Absence`.

    Examples
    --------
    >>> r = MoveResult(pages=5, moved=3, already_there=1, failures={PageStatus.EBUSY: 1})
    >>> r.failed, r.ok
    (1, False)
    """

    pages: int
    moved: int = 0
    already_there: int | None = 0
    failures: Mapping[PageStatus, int] = field(default_factory=dict)
    not_attempted: int = 0
    untargeted: int = 0
    overruled: int = 0
    torn: int = 0
    split: int = 0
    rounds: int = 0
    seconds: float = 0.0
    recorded: Runs | Run | None = field(default=None, repr=False, compare=False)
    absences: Absences = field(default_factory=nothing_absent, repr=False, compare=False)

    def __post_init__(self) -> None:
        total = self.moved + (self.already_there or 0) + self.failed + self.not_attempted
        if total != self.pages:
            raise ValueError(f"the counts of {self!r} make {total}, not {self.pages}")
        if self.untargeted > self.not_attempted:
            raise ValueError(f"untargeted pages are not attempted, in {self!r} there are more")

    def __setstate__(self, state: dict[str, object]) -> None:
        restore_read_only(state)
        self.__dict__.update(state)

    @property
    def runs(self) -> Runs | None:
        """Records of stretches of pages with one status, as of a `Placement`.

        Of a move that ended early they end where it did. None for an error raised by `move_pages`,
        which has the status of each page itself.
        """
        if not isinstance(self.recorded, tuple):
            return self.recorded
        # Made when asked for: to make it takes longer than it took to find out.
        runs = np.array([self.recorded], RUN_DTYPE)
        runs.flags.writeable = False
        return runs

    @property
    def failed(self) -> int:
        """Pages that are not on their target although the kernel was asked."""
        return sum(self.failures.values())

    @property
    def ok(self) -> bool:
        """True when every page is where it was wanted, with all that is in it."""
        return not (self.failed or self.not_attempted or self.overruled or self.torn)

    @property
    def absent_reasons(self) -> dict[Absence, int]:
        """Pages on no known node by reason, as far as the kernel lets one know."""
        return count_reasons(self.absences)

    @property
    def status(self) -> Statuses:
        """Status of each page, int32, made anew from the runs each time it is asked for.

        Raises
        ------
        ValueError
            There are no `runs`.
        """
        runs = self.runs
        if runs is None:
            raise ValueError("this result has counts alone; the status is on the error itself")
        status = np.full(self.pages, PageStatus.NOT_ATTEMPTED.value, np.int32)
        reached = per_page_status(runs)
        status[: len(reached)] = reached
        return status

    def raise_for_status(self) -> None:
        """Raise a `MovePagesError` unless every page is where it was wanted.

        Raises
        ------
        MovePagesError
            With the errno of the most frequent failure, ENOENT where pages only lack a target,
            EBUSY where pages were only overruled or torn, and this result as ``.result``.
        """
        if self.ok:
            return
        reasons = [
            f"{count:,} {status.name} ({status.meaning}; {status.remedy})"
            for status, count in sorted(self.failures.items(), key=lambda item: -item[1])
        ]
        cut_off = self.not_attempted - self.untargeted
        if cut_off:
            reasons.append(f"{cut_off:,} not attempted")
        if self.untargeted:
            reasons.append(
                f"{self.untargeted:,} without a target, as they had no memory in the placement "
                "that is the target; they stayed"
            )
        if self.overruled:
            reasons.append(f"{self.overruled:,} overruled: {OVERRULED}")
        if self.torn:
            reasons.append(f"{self.torn:,} torn: {TORN}")
        if why := describe_reasons(self.absences):
            reasons.append(f"pages without memory: {why}")
        otherwise = errno.ECANCELED if cut_off else errno.ENOENT if self.untargeted else errno.EBUSY
        worst = max(self.failures, key=self.failures.__getitem__, default=-otherwise)
        missing = self.failed + self.not_attempted + self.overruled + self.torn
        sentence = (
            f"{missing:,} of {self.pages:,} pages are not where they were wanted: "
            + "; ".join(reasons)
        )
        raise make_error(-worst, sentence, result=self)

    def __str__(self) -> str:
        parts = [
            f"{self.moved:,} on their target"
            if self.already_there is None
            else f"{self.moved:,} moved, {self.already_there:,} already there"
        ]
        parts += [f"{count:,} failed with {status.name}" for status, count in self.failures.items()]
        if cut_off := self.not_attempted - self.untargeted:
            parts.append(f"{cut_off:,} not attempted")
        if self.untargeted:
            parts.append(f"{self.untargeted:,} without a target")
        if self.overruled:
            parts.append(f"{self.overruled:,} overruled by the rest of their huge page")
        if self.torn:
            parts.append(f"{self.torn:,} torn by the layout")
        if self.split:
            parts.append(f"{self.split:,} huge pages split")
        return f"{format_pages(self.pages)}: " + ", ".join(parts)

    def _repr_html_(self) -> str:
        from .html import result_html

        return result_html(self)


def count_failures(status: Statuses) -> dict[PageStatus, int]:
    """Count the errnos in an array of statuses; nodes and not-attempted pages are left out."""
    if status.min(initial=0) >= 0:
        return {}
    bad = status[(status < 0) & (status != PageStatus.NOT_ATTEMPTED.value)]
    # -errno is a small number: counting is many times faster than sorting, as np.unique does.
    counts = np.bincount(-bad)
    return {PageStatus(-code): int(counts[code]) for code in np.flatnonzero(counts).tolist()}


def result_in_place(run: Run, seconds: float) -> MoveResult:
    """Return the outcome of a move that had nothing to do.

    It is the one that a program may ask for again and again: what a frozen dataclass does to set
    its fields takes longer than the question to the kernel. The others are the defaults.
    """
    result = object.__new__(MoveResult)
    result.__dict__.update(
        pages=run[1],
        already_there=run[1],
        failures={},
        seconds=seconds,
        recorded=run,
        absences=nothing_absent(),
    )
    return result


def result_of_runs(parts: list[Runs], pages: int) -> MoveResult:
    """Return the outcome of a query that got as far as these runs, of `pages` in all."""
    counts: Counter[int] = Counter()
    for runs in parts:
        counts.update(totals(runs, "pages"))
    counts.pop(PageStatus.NOT_ATTEMPTED, None)
    failures = {PageStatus(status): n for status, n in counts.items() if status < 0}
    return MoveResult(
        pages=pages,
        already_there=sum(n for status, n in counts.items() if status >= 0),
        failures=failures,
        not_attempted=pages - counts.total(),
    )


def result_of_status(status: Statuses, *, moving: bool, told: int | None = None) -> MoveResult:
    """Return the outcome a status array tells by itself, without knowledge of before.

    Where `told` is given, none was attempted behind so many pages.
    """
    pages, status = len(status), status[:told]
    on_node = int(np.count_nonzero(status >= 0))
    skipped = int(np.count_nonzero(status == PageStatus.NOT_ATTEMPTED.value))
    return MoveResult(
        pages=pages,
        moved=on_node if moving else 0,
        already_there=None if moving else on_node,
        failures=count_failures(status),
        not_attempted=skipped + pages - len(status),
    )
