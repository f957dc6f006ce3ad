"""Count the bytes of an array that are in huge pages, while the array is queried."""

from __future__ import annotations

import numpy as np

from .. import _core
from ..pages.page_set import PageSet
from ..system.intervals import Intervals
from ..system.presence import Presence
from .survey_runs import SurveyRuns

_HUGE = Presence.HUGE_PAGE.value


class HugeBytes:
    """Adds up the bytes of a footprint in huge pages over several queries.

    Parameters
    ----------
    footprint : Footprint
    kinds_tell : bool
        Whether the kinds of runs identify huge pages. They do not if rows are too short to read
        their page tables, or if nodes come from page frame numbers.

    Attributes
    ----------
    total : int or None
        Bytes in huge pages so far; None if the kernel does not report them (before Linux 6.7).
    """

    def __init__(self, footprint: PageSet, *, kinds_tell: bool) -> None:
        self._footprint, self._kinds_tell = footprint, kinds_tell
        self.total: int | None = 0

    def add(self, found: SurveyRuns) -> None:
        """Count the huge pages in some runs in address order."""
        some = found.where(found.status >= 0)
        if self.total is None or not len(some.address):
            return
        is_huge = some.kind == _HUGE
        # Only a scan of the page tables gives this kind, so the kernel can scan them.
        if is_huge.all():
            self.total += self._held(some)
            return
        size = self._footprint.page_size
        first = int(some.address[0])
        last = int(some.address[-1]) + int(some.pages[-1]) * size
        # If the kinds identify huge pages, this scans one page, only to see if the kernel can scan.
        ranges = _core.scan_huge(
            first, first + size if self._kinds_tell else last, self._footprint.pid
        )
        if ranges is None:
            self.total = None
        elif self._kinds_tell:
            self.total += self._held(some.where(is_huge))
        else:
            self.total += self._within(some, ranges)

    def _within(self, some: SurveyRuns, ranges: tuple[np.ndarray, np.ndarray]) -> int:
        edges = np.stack(ranges, axis=1).ravel()
        huge = Intervals(edges, np.ones(len(ranges[0]), np.uint8))
        cut = some.cut(huge, self._footprint.page_size)
        return self._held(cut.where(huge.at(cut.address) == 1))

    def _held(self, runs: SurveyRuns) -> int:
        return int(self._footprint.held(runs.address, runs.pages).sum())
