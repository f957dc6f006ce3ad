"""Count the pages of a footprint by what a move would do with them."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ..layouts.patterns import NOWHERE, NodeArray
from ..layouts.targets import Target
from ..pages.page_set import PageSet
from ..query.survey_runs import SurveyRuns
from ..results.status import PageStatus
from . import preview
from .chosen_targets import ChosenTargets
from .huge_page_targets import OnConflict


class PlanCounts:
    """Counts pages by what would become of them."""

    def __init__(self) -> None:
        self.flows: Counter[tuple[int, int]] = Counter()
        self.wanted: Counter[int] = Counter()
        self.absent = self.untargeted = self.overruled = self.torn = self.split = self.hidden = 0

    def add_all(self, footprint: PageSet, target: Target, on_conflict: OnConflict) -> None:
        """Count all pages of a footprint."""
        if target.only is not None:
            # No huge page is cut, so the runs need not be expanded to single pages.
            for found in preview.runs_now(footprint):
                self._add_runs(found, target.only)
            return
        for before, chosen, absent in preview.preview(footprint, target, on_conflict):
            self.absent += absent
            self._add(before, chosen)

    def _add_runs(self, found: SurveyRuns, node: int) -> None:
        """Count runs that are all wanted on one node."""
        for status in np.unique(found.status).tolist():
            pages = int(found.pages[found.status == status].sum())
            if status >= 0:
                self.flows[status, node] += pages
                self.wanted[node] += pages
            elif status == PageStatus.ENODATA.value:
                self.hidden += pages
            else:
                self.absent += pages

    def _add(self, before: NodeArray, chosen: ChosenTargets) -> None:
        there, each, wanted = before >= 0, chosen.each, chosen.wanted
        known = there & (each != NOWHERE)
        self.split += chosen.split
        unknown = before == PageStatus.ENODATA.value
        self.hidden += int(np.count_nonzero(unknown))
        self.absent += int(np.count_nonzero(~there & ~unknown))
        self.untargeted += int(np.count_nonzero(there & (each == NOWHERE)))
        overruled = known & chosen.overruled
        self.overruled += int(np.count_nonzero(overruled))
        self.torn += int(np.count_nonzero(known & ~overruled & chosen.torn))
        # A page without a target that moves with its huge page counts as wanted there.
        on = np.where(wanted[known] == NOWHERE, each[known], wanted[known])
        for node, n in enumerate(np.bincount(on).tolist()):
            self.wanted[node] += n
        self.wanted = +self.wanted
        # As one number each: of pairs numpy makes a structure, and what a signal handler raises
        # while two of these are compared comes out as a TypeError.
        pairs = before[known].astype(np.int64) << 32 | each[known]
        for pair, n in zip(*np.unique(pairs, return_counts=True), strict=True):
            self.flows[int(pair) >> 32, int(pair) & 0xFFFFFFFF] += int(n)
