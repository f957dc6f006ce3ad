"""What the shortcuts share: the query that they save, and when it costs more than they do."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..pages.arguments import Addresses
from ..system.numa_maps import resident_pages
from .survey_runs import SurveyRuns

# For numa_maps and smaps, the kernel walks all resident memory of the process. If that is more than
# this multiple of the pages in question, it may take longer than to query each of them.
_MOST_RESIDENT = 1.5


class Ask(Protocol):
    """Function that queries the nodes of rows of pages, as `survey_rows` does."""

    def __call__(
        self,
        addresses: Addresses,
        pages: npt.NDArray[np.int64],
        *,
        fewest: int | None,
        ask_small: bool = True,
        in_huge_pages: bool = False,
    ) -> SurveyRuns:
        """Return the runs found."""


def walk_pays_off(pid: int, pages: int) -> bool:
    """Return whether a walk of a process's memory may be faster than a query of some pages."""
    resident = resident_pages(pid)
    return resident is not None and resident <= _MOST_RESIDENT * pages
