"""Find the runs of an array that are in huge pages, while the array is queried."""

from __future__ import annotations

import numpy as np

from .. import _core
from ..pages.page_set import PageSet
from ..pages.runs import GrowingRuns, Runs, make_runs
from ..system.intervals import Intervals
from ..system.presence import Presence
from .survey_runs import SurveyRuns

_HUGE = Presence.HUGE_PAGE.value


class HugeRuns:
    """Collects the runs of a footprint in huge pages over several queries.

    Parameters
    ----------
    footprint : Footprint
    kinds_tell : bool
        Whether the kinds of runs identify huge pages. They do not if rows are too short to read
        their page tables, or if nodes come from page frame numbers.
    """

    def __init__(self, footprint: PageSet, *, kinds_tell: bool) -> None:
        self._footprint, self._kinds_tell = footprint, kinds_tell
        self._huge: GrowingRuns | None = GrowingRuns(footprint.page_size)

    @property
    def found(self) -> Runs | None:
        """The runs so far, as in `Placement.runs`; None if the kernel does not report huge pages.

        Linux reports them from 6.7 on.
        """
        return None if self._huge is None else self._huge.joined()

    def add(self, found: SurveyRuns) -> None:
        """Add the huge pages in some runs in address order."""
        some = found.where(found.status >= 0)
        if self._huge is None or not len(some.address):
            return
        is_huge = some.kind == _HUGE
        # Only a scan of the page tables gives this kind, so the kernel can scan them.
        if is_huge.all():
            self._huge.add(self._runs(some))
            return
        size = self._footprint.page_size
        first = int(some.address[0])
        last = int(some.address[-1]) + int(some.pages[-1]) * size
        # If the kinds identify huge pages, this scans one page, only to see if the kernel can scan.
        ranges = _core.scan_huge(
            first, first + size if self._kinds_tell else last, self._footprint.pid
        )
        if ranges is None:
            self._huge = None
        elif self._kinds_tell:
            self._huge.add(self._runs(some.where(is_huge)))
        else:
            self._huge.add(self._within(some, ranges))

    def _within(self, some: SurveyRuns, ranges: tuple[np.ndarray, np.ndarray]) -> Runs:
        edges = np.stack(ranges, axis=1).ravel()
        huge = Intervals(edges, np.ones(len(ranges[0]), np.uint8))
        cut = some.cut(huge, self._footprint.page_size)
        return self._runs(cut.where(huge.at(cut.address) == 1))

    def _runs(self, found: SurveyRuns) -> Runs:
        held = self._footprint.held(found.address, found.pages)
        return make_runs(found.address, found.pages, held, found.status)
