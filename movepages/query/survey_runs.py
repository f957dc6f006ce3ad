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
        First page of each (uintp), how many there are (int64), and what the kernel says (int32).
        Runs that were not asked for have status NOT_ATTEMPTED.
    kind : ndarray of uint8
        What the page tables have there, a value of ``_core.PRESENCE``; where they were not looked
        at, or the survey ended early, "page".
    """

    address: npt.NDArray[np.uintp]
    pages: npt.NDArray[np.int64]
    status: npt.NDArray[np.int32]
    kind: npt.NDArray[np.uint8]

    def where(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.int64] | slice) -> SurveyRuns:
        """Return some of the runs."""
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
