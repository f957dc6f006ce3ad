"""Functions that count statuses and runs into a MoveResult."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ..pages.runs import Runs, Statuses, totals
from .absence import nothing_absent
from .outcome import MoveResult, Run
from .status import PageStatus


def count_failures(status: Statuses) -> dict[PageStatus, int]:
    """Count the errnos in an array of statuses, leaving out nodes and pages not attempted."""
    if status.min(initial=0) >= 0:
        return {}
    bad = status[(status < 0) & (status != PageStatus.NOT_ATTEMPTED.value)]
    # Errnos are small numbers, so bincount is many times faster than np.unique, which sorts.
    counts = np.bincount(-bad)
    return {PageStatus(-code): int(counts[code]) for code in np.flatnonzero(counts).tolist()}


def result_in_place(run: Run, seconds: float) -> MoveResult:
    """Return the outcome of a move whose pages were all in place already.

    A program may repeat such a move often, and the constructor of a frozen dataclass takes longer
    than the query of the kernel. So this sets the fields directly; the others keep their defaults.
    """
    result = object.__new__(MoveResult)
    result.__dict__.update(
        pages=run[1],
        already_there=run[1],
        failures={},
        seconds=seconds,
        _runs=run,
        absences=nothing_absent(),
    )
    return result


def result_of_runs(runs: Runs, pages: int) -> MoveResult:
    """Return the outcome of a query of `pages` pages that found these runs before it ended."""
    counts = Counter(totals(runs, "pages"))
    counts.pop(PageStatus.NOT_ATTEMPTED, None)
    failures = {PageStatus(status): n for status, n in counts.items() if status < 0}
    return MoveResult(
        pages=pages,
        already_there=sum(n for status, n in counts.items() if status >= 0),
        failures=failures,
        not_attempted=pages - counts.total(),
    )


def result_of_status(status: Statuses, *, moving: bool, attempted: int | None = None) -> MoveResult:
    """Return the outcome that a status array shows, without knowing where the pages were before.

    If `attempted` is given, only the first `attempted` pages were attempted.
    """
    pages, status = len(status), status[:attempted]
    on_node = int(np.count_nonzero(status >= 0))
    skipped = int(np.count_nonzero(status == PageStatus.NOT_ATTEMPTED.value))
    return MoveResult(
        pages=pages,
        moved=on_node if moving else 0,
        already_there=None if moving else on_node,
        failures=count_failures(status),
        not_attempted=skipped + pages - len(status),
    )
