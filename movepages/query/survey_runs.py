"""SurveyRuns: runs of neighbouring pages as the driver's survey returns them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


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
