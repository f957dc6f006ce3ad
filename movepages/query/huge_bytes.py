"""How much of some memory is in huge pages, counted while it is looked at."""

from __future__ import annotations

import numpy as np

from .. import _core
from ..pages.footprint import Footprint
from ..system.intervals import Intervals
from .survey_runs import SurveyRuns

_HUGE = _core.PRESENCE["huge page"]


class HugeBytes:
    """Adds up the bytes of a footprint in huge pages, look by look.

    Parameters
    ----------
    footprint : Footprint
    kinds_tell : bool
        Whether what is found shows huge pages as such. It does not where rows are too short to look
        at the page tables for, or where nodes are found by the numbers of page frames.

    Attributes
    ----------
    total : int or None
        None where the kernel does not tell, before Linux 6.7.
    """

    def __init__(self, footprint: Footprint, *, kinds_tell: bool) -> None:
        self._footprint, self._kinds_tell = footprint, kinds_tell
        self.total: int | None = 0

    def add(self, found: SurveyRuns) -> None:
        """Take in some runs in address order."""
        some = found.where(found.status >= 0)
        if self.total is None or not len(some.address):
            return
        size = self._footprint.page_size
        first = int(some.address[0])
        last = int(some.address[-1]) + int(some.pages[-1]) * size
        # Where the kinds tell, one page tells whether the kernel knows of huge pages at all.
        told = _core.scan_huge(
            first, first + size if self._kinds_tell else last, self._footprint.pid
        )
        if told is None:
            self.total = None
        elif self._kinds_tell:
            some = some.where(some.kind == _HUGE)
            self.total += int(self._footprint.held(some.address, some.pages).sum())
        else:
            self.total += self._within(some, told)

    def _within(self, some: SurveyRuns, told: tuple[np.ndarray, np.ndarray]) -> int:
        size = np.uintp(self._footprint.page_size)
        edges = np.stack(told, axis=1).ravel()
        huge = Intervals(edges, np.ones(len(told[0]), np.uint8))
        ends = some.address + some.pages.astype(np.uintp) * size
        _, begin, end = huge.cut(some.address, ends)
        inside = huge.at(begin) == 1
        pages = ((end - begin) // size).astype(np.int64)
        return int(self._footprint.held(begin[inside], pages[inside]).sum())
