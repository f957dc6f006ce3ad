"""Tally: adds up what became of the pages of a move, slice by slice."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import numpy.typing as npt

from .errors import PageStatus
from .footprint import Footprint
from .result import MoveResult, count_failures
from .runs import RunBuilder, Statuses


class Tally:
    """Counts of a move in progress; `result` is right at any moment."""

    def __init__(self, footprint: Footprint) -> None:
        self._total = footprint.pages
        self._runs = RunBuilder(footprint.page_size)
        self._failures: Counter[PageStatus] = Counter()
        self._start = time.perf_counter()
        self._moved = self._already_there = 0
        self.pages = 0

    def add(
        self,
        addresses: npt.NDArray[np.uintp],
        nbytes: npt.NDArray[np.int64],
        status: Statuses,
        there: npt.NDArray[np.bool_],
    ) -> None:
        """Count one slice; `there` marks the pages that were on their target before."""
        others = status[~there]
        self.pages += len(status)
        self._already_there += len(status) - len(others)
        self._moved += int(np.count_nonzero(others >= 0))
        self._failures.update(count_failures(others))
        self._runs.add(addresses, nbytes, status)

    def result(self) -> MoveResult:
        """Return the outcome so far; whatever was not counted yet was not attempted."""
        known = self._moved + self._already_there + self._failures.total()
        return MoveResult(
            pages=self._total,
            moved=self._moved,
            already_there=self._already_there,
            failures=dict(self._failures),
            not_attempted=self._total - known,
            seconds=time.perf_counter() - self._start,
            runs=self._runs.finish(),
        )
