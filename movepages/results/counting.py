"""MoveResults from statuses and runs."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ..pages.runs import Runs, Statuses, totals
from .absence import nothing_absent
from .outcome import MoveResult, Run
from .status import PageStatus


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
