"""Nodes of hidden pages: in memory, but on a node that Linux before 6.6 does not report."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..results.status import PageStatus
from ..system.maps import Backing
from ..system.numa_maps import Mapped
from ..system.presence import Presence, presence_runs
from .readings import mapped_nodes
from .survey_runs import SurveyRuns, join_survey_runs

_HIDDEN = PageStatus.ENODATA.value
# The kinds of pages that are memory, and not the zero page.
_CERTAIN = (Presence.PAGE.value, Presence.HUGE_PAGE.value, Presence.OWN_PAGE.value)


def give_nodes_of_mappings(found: SurveyRuns, pid: int, page_size: int) -> SurveyRuns:
    """Give hidden pages the node of their mapping, if all its memory is on one node.

    A hidden page of private memory that is not the process's alone is either the zero page (never
    written to) or a page shared after a fork. If numa_maps counts no more pages in the mapping than
    are certainly memory, it is the zero page. Otherwise it stays hidden.
    """
    known = mapped_nodes(pid)
    is_hidden = found.status == _HIDDEN
    hidden = found.where(is_hidden)
    runs = presence_runs(hidden.address, hidden.ends(page_size), pid)
    if known is None or runs is None:
        return found
    which, begin, end = known.where.cut(runs.start, runs.end)
    own = np.isin(runs.kind[which], _CERTAIN)
    pages = ((end - begin) // np.uintp(page_size)).astype(np.int64)
    status = _statuses(known, known.where.at(begin) - 1, own, pages)
    huge = runs.kind[which] == Presence.HUGE_PAGE.value
    kind = np.where(huge, Presence.HUGE_PAGE.value, Presence.PAGE.value).astype(np.uint8)
    return join_survey_runs((found.where(~is_hidden), SurveyRuns(begin, pages, status, kind)))


def _statuses(
    known: Mapped,
    index: npt.NDArray[np.int64],
    own: npt.NDArray[np.bool_],
    pages: npt.NDArray[np.int64],
) -> npt.NDArray[np.int32]:
    """Return the status of each stretch, from the index of its mapping (-1: none) and its pages."""
    status = np.full(len(index), _HIDDEN, np.int32)
    tells = index >= 0
    tells[tells] = known.backing[index[tells]] != Backing.DEVICE.value
    at, own, pages = index[tells], own[tells], pages[tells]
    certain = own | (known.backing[at] == Backing.OTHER.value)
    counted = np.zeros(len(known.pages), np.int64)
    np.add.at(counted, at, pages * certain)
    zeros = ~certain & (known.pages[at] <= counted[at])
    node = np.where(certain & (known.node[at] > 0), known.node[at] - 1, _HIDDEN)
    status[tells] = np.where(zeros, PageStatus.EFAULT.value, node)
    return status
