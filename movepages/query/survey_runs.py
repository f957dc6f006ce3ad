"""SurveyRuns: runs of neighbouring pages as the driver's survey returns them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..results.status import PageStatus
from ..system.intervals import Intervals
from ..system.presence import Presence


class SurveyRuns(NamedTuple):
    """Runs of neighbouring pages in address order.

    Attributes
    ----------
    address, pages, status : ndarray
        Address of the first page (uintp), number of pages (int64) and the kernel's answer (int32)
        for each run. Runs that were not queried have status NOT_ATTEMPTED.
    kind : ndarray of uint8
        What the page tables contain there, a value of `Presence`. It is PAGE if they were
        not read, or if the survey ended early.
    """

    address: npt.NDArray[np.uintp]
    pages: npt.NDArray[np.int64]
    status: npt.NDArray[np.int32]
    kind: npt.NDArray[np.uint8]

    @property
    def left_out(self) -> npt.NDArray[np.bool_]:
        """Which runs are small pages that the page tables show, but that were not queried."""
        unasked = self.status == PageStatus.NOT_ATTEMPTED.value
        left_out: npt.NDArray[np.bool_] = unasked & (self.kind == Presence.PAGE.value)
        return left_out

    def ends(self, page_size: int) -> npt.NDArray[np.uintp]:
        """Return the address behind each run."""
        return self.address + self.pages.astype(np.uintp) * np.uintp(page_size)

    def cut(self, edges: Intervals, page_size: int) -> SurveyRuns:
        """Return the runs, cut at the edges of intervals."""
        which, begin, end = edges.cut(self.address, self.ends(page_size))
        pages = ((end - begin) // np.uintp(page_size)).astype(np.int64)
        return SurveyRuns(begin, pages, self.status[which], self.kind[which])

    def where(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.int64] | slice) -> SurveyRuns:
        """Return the runs selected by a mask, indices or a slice."""
        return SurveyRuns(
            self.address[which], self.pages[which], self.status[which], self.kind[which]
        )


def join_survey_runs(parts: Sequence[SurveyRuns]) -> SurveyRuns:
    """Return the runs of all parts in address order."""
    whole = SurveyRuns(
        np.concatenate([part.address for part in parts]),
        np.concatenate([part.pages for part in parts]),
        np.concatenate([part.status for part in parts]),
        np.concatenate([part.kind for part in parts]),
    )
    return whole.where(np.argsort(whole.address, kind="stable"))
