"""A shortcut for huge pages before Linux 6.7: query each huge page once that smaps makes certain.

Before Linux 6.7, the kernel does not report where huge pages are. /proc/PID/smaps counts those of
each mapping, which makes them certain in two cases: all resident memory of the mapping is in huge
pages, or as many huge pages are mapped as fit in the mapping. There, a page either has no memory,
or all pages of its huge page are on one node.

The count and the query are not made at the same moment. Therefore smaps is read before and after
the query, and both readings must give the same ranges. Between them, a huge page may still have
been split, moved in part and collapsed again. Every collapse allocates a huge page, which
/proc/vmstat counts for the whole machine; if that count has changed, all pages are queried. So a
page that has memory throughout the query is where its status says. This assumes that no second
collapse of the same range was already on its way when the first one ended.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .. import _core
from ..pages.arguments import Addresses
from ..pages.page_set import PageSet
from ..system.intervals import Intervals
from ..system.presence import Presence
from ..system.privileges import text_if_any
from .shortcuts import Ask, walk_pays_off
from .survey_runs import SurveyRuns, join_survey_runs

# For this many pages, querying each takes 13 ms or more. Two readings of smaps take 2 ms.
FEWEST_PAGES = 1 << 16
# The lines of a mapping take the kernel as long to write as a query of this many pages.
_PAGES_PER_MAPPING = 512
_HUGE_MEMORY = re.compile(r"^(?:AnonHugePages|ShmemPmdMapped|FilePmdMapped|Hugetlb): +(\d+)", re.M)
_COLLAPSES = re.compile(r"^thp_collapse_alloc \d+$", re.M)
_NOWHERE = Intervals(np.empty(0, np.uintp), np.empty(0, np.uint8))


@cache
def kernel_scans() -> bool:
    """Return whether the kernel reports where huge pages are, as Linux does from 6.7 on."""
    return _core.scan_huge(0, _core.HUGE_PAGE_BYTES, 0) is not None


def look(
    ask: Ask, addresses: Addresses, pages: npt.NDArray[np.int64], footprint: PageSet
) -> SurveyRuns:
    """Query rows of pages in address order, and each certain huge page only once."""
    nothing = np.zeros(len(pages), np.int32)
    rows = SurveyRuns(addresses, pages, nothing, nothing.astype(np.uint8))
    collapses = _collapses() if _seems_worth_it(rows, footprint) else ""
    certain = _ranges(rows, footprint) if collapses else _NOWHERE
    if not len(certain.value):
        return ask(addresses, pages, fewest=None)
    cut = rows.cut(certain, footprint.page_size)
    inside = certain.at(cut.address) == 1
    huge, rest = cut.where(inside), cut.where(~inside)
    found = ask(huge.address, huge.pages, fewest=None, in_huge_pages=True)
    same = np.array_equal(_ranges(rows, footprint).edges, certain.edges)
    if not same or _collapses() != collapses:
        return ask(addresses, pages, fewest=None)
    # The kinds of other runs do not identify huge pages either.
    found = found._replace(kind=np.full(len(found.kind), Presence.PAGE.value, np.uint8))
    # Which pages of a range without a huge page have memory is unknown.
    known = found.status >= 0
    unknown = found.where(~known)
    rest = join_survey_runs((rest, unknown))
    return join_survey_runs((found.where(known), ask(rest.address, rest.pages, fewest=None)))


def _seems_worth_it(rows: SurveyRuns, footprint: PageSet) -> bool:
    total = int(rows.pages.sum())
    if total < FEWEST_PAGES:
        return False
    meminfo = text_if_any(Path("/proc/meminfo")) or ""
    huge = sum(int(kib) * 1024 for kib in _HUGE_MEMORY.findall(meminfo))
    return 2 * huge >= total * footprint.page_size and walk_pays_off(footprint.pid, total)


def _ranges(rows: SurveyRuns, footprint: PageSet) -> Intervals:
    """Return the parts of some rows, in address order, whose memory is certainly in huge pages."""
    found = _core.huge_ranges_by_count(
        f"/proc/{footprint.pid or 'self'}/smaps",
        int(rows.address[0]),
        int(rows.ends(footprint.page_size)[-1]),
        _most_mappings(rows),
    )
    edges = np.empty(0, np.uintp) if found is None else np.stack(found, axis=1).ravel()
    return Intervals(edges, np.ones(len(edges) // 2, np.uint8))


def _most_mappings(rows: SurveyRuns) -> int:
    return int(rows.pages.sum()) // _PAGES_PER_MAPPING


def _collapses() -> str:
    """Return how many huge pages were allocated for collapses; empty if this is unknown."""
    found = _COLLAPSES.search(text_if_any(Path("/proc/vmstat")) or "")
    return found[0] if found else ""
