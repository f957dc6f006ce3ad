"""A shortcut for many small pages: if their mapping is on one node, do not query each page."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from ..pages.arguments import Addresses
from ..pages.page_set import PageSet
from ..results.status import PageStatus
from ..system.numa_maps import single_nodes
from .shortcuts import Ask, walk_pays_off
from .survey_runs import SurveyRuns, join_survey_runs

# Pages, spread over the array, that are queried to see whether it may be on one node.
_TRIED = 64
# One page in this many is checked against the kernel's answer.
_SAMPLED = 512


def look(
    ask: Ask, addresses: Addresses, pages: npt.NDArray[np.int64], footprint: PageSet, fewest: int
) -> SurveyRuns:
    """Query rows of pages in address order; if it pays off, query only huge pages and samples.

    The page tables are read before numa_maps. If a page that they show is still present when
    numa_maps is read, it is on the one node of its mapping.
    """
    if not _seems_worth_it(ask, addresses, pages, footprint):
        return ask(addresses, pages, fewest=fewest)
    found = ask(addresses, pages, fewest=fewest, ask_small=False)
    left_out = found.left_out
    if not left_out.any():
        return found
    small = _fill(found.where(left_out), footprint)
    if not _agrees(ask, small, footprint.page_size):
        small.status[:] = PageStatus.NOT_ATTEMPTED.value
    unknown = small.status == PageStatus.NOT_ATTEMPTED.value
    rest = small.where(unknown)
    answered = ask(rest.address, rest.pages, fewest=None)
    return join_survey_runs((found.where(~left_out), small.where(~unknown), answered))


def _pick(
    addresses: Addresses, pages: npt.NDArray[np.int64], index: npt.NDArray[np.int64], size: int
) -> tuple[Addresses, npt.NDArray[np.int64]]:
    """Return address and row number of the pages with these indices among all pages of rows."""
    ends = np.cumsum(pages)
    row = np.searchsorted(ends, index, "right")
    within = (index - (ends - pages)[row]).astype(np.uintp)
    return addresses[row] + within * np.uintp(size), row


def _seems_worth_it(
    ask: Ask, addresses: Addresses, pages: npt.NDArray[np.int64], footprint: PageSet
) -> bool:
    total = int(pages.sum())
    if not walk_pays_off(footprint.pid, total):
        return False
    index = np.linspace(0, total - 1, _TRIED).astype(np.int64)
    tried, _ = _pick(addresses, pages, index, footprint.page_size)
    found = ask(tried, np.ones(len(tried), np.int64), fewest=None)
    nodes = found.status[found.status >= 0]
    return bool(len(nodes) and nodes.min() == nodes.max())


def _fill(small: SurveyRuns, footprint: PageSet) -> SurveyRuns:
    """Cut runs at the ends of mappings, and give each part the one node of its mapping, if any."""
    known = single_nodes(footprint.pid)
    if known is None:
        return small
    cut = small.cut(known, footprint.page_size)
    node = known.at(cut.address) - 1
    status = np.where(node >= 0, node, PageStatus.NOT_ATTEMPTED.value)
    return cut._replace(status=status.astype(np.int32))


def _agrees(ask: Ask, small: SurveyRuns, size: int) -> bool:
    """Check a sample of the filled-in nodes against the kernel's answer."""
    filled = small.where(small.status >= 0)
    total = int(filled.pages.sum())
    if not total:
        return True
    first = time.perf_counter_ns() % min(_SAMPLED, total)
    index = np.arange(first, total, _SAMPLED)
    sampled, row = _pick(filled.address, filled.pages, index, size)
    found = ask(sampled, np.ones(len(sampled), np.int64), fewest=None)
    where = np.searchsorted(found.address, sampled, "right") - 1
    return bool((found.status[where] == filled.status[row]).all())
