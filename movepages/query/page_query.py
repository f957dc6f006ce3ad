"""PageQuery: the nodes of a footprint as runs, found with the driver and the mappings."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .. import _core
from ..pages.arguments import Addresses
from ..pages.page_set import PageSet
from ..pages.runs import Runs, make_runs
from ..results.absence import Absence, Absences, Reasons, join_absences, merge_absences
from ..results.status import PageStatus
from ..system.maps import Backing
from ..system.presence import Presence
from . import numa_maps_shortcut, smaps_shortcut
from .absence_reasons import absences, reasons_of
from .hidden_pages import give_nodes_of_mappings
from .pagemap_entries import Entries
from .readings import mappings_within
from .survey import survey_rows
from .survey_runs import SurveyRuns, join_survey_runs

Counts: TypeAlias = "npt.NDArray[np.int64]"

# For fewer pages, reading page tables and mappings costs more than querying each page.
FEWEST_PAGES = 32
# If less than this part of the queried pages had memory, the next query reaches further.
_SPARSE = 1 / 8
# For this many small pages in a row, reading their page frame numbers takes less time than querying
# them. For this many pages in total, it pays to find out which node each frame number belongs to.
BY_NUMBER, MANY_PAGES = 64, 1 << 13


class QueryResult(NamedTuple):
    """Runs of pages that a query found, with one status a run, and why pages are absent."""

    found: SurveyRuns
    absences: Absences


class PageQuery:
    """Queries the pages of one footprint.

    Parameters
    ----------
    footprint : Footprint
    flags : int
        As in `move_pages`. The kernel rejects flags in a query if it would reject them in a move.
    threads : int, optional
        Maximum number of threads; by default one for each CPU that this process may use.
    pause : callable, optional
        Called after every 25 ms of work; may raise an exception to end the query.
    shortcuts : bool, default True
        Whether the nodes of many small pages may be found without querying each page.

    Attributes
    ----------
    partial : SurveyRuns or None
        Runs found before an exception ended a query.
    """

    def __init__(
        self,
        footprint: PageSet,
        flags: int,
        threads: int | None = None,
        pause: Callable[[], object] | None = None,
        *,
        shortcuts: bool = True,
    ) -> None:
        self._footprint, self._flags, self._pause = footprint, flags, pause
        self.partial: SurveyRuns | None = None
        self._shortcuts = shortcuts and footprint.pages >= MANY_PAGES
        self._by_number = BY_NUMBER if self._shortcuts and _core.shows_frame_numbers() else 0
        self._threads = threads or len(os.sched_getaffinity(0))
        self._sparse = False
        # Set once the kernel turns out not to scan page tables.
        self._entries: Entries | None = None

    @property
    def shows_huge_pages(self) -> bool:
        """Whether the kinds of runs identify every huge page."""
        one_row = self._footprint.contiguous and self._footprint.pages >= FEWEST_PAGES
        return one_row and not self._by_number

    def reach(self, start: int, pages: int, most: int) -> int:
        """Return how many pages of a row to query next; at most `most` of them may have memory.

        If the last query found little memory, this reads from the page tables how far to go: a hole
        of any length is one run. Otherwise, it would only read all page tables a second time.
        """
        if not self._sparse:
            return min(pages, most)
        size, pid = self._footprint.page_size, self._footprint.pid
        end, until = start + pages * size, None
        if self._entries is None:
            until = end if pages <= most else _core.reach(start, end, most, pid)
        if until is None:
            self._entries = self._entries or Entries(pid, size, self._ask)
            until = self._entries.end_of_nothing(start)
        return min(max((until - start) // size, most), pages)

    def at(self, addresses: Addresses, pages: Counts) -> QueryResult:
        """Query rows of pages in address order."""
        # A move, for which `pause` is set, changes what is counted, so it cannot use the counts.
        if self._sparse and self._entries is not None:
            found = self._entries.look(addresses, pages)
        elif self._shortcuts and self._pause is None and not smaps_shortcut.kernel_scans():
            found = smaps_shortcut.look(self._ask, addresses, pages, self._footprint)
        elif self._shortcuts and not self._by_number and self._pause is None:
            found = numa_maps_shortcut.look(
                self._ask, addresses, pages, self._footprint, FEWEST_PAGES
            )
        else:
            found = self._ask(addresses, pages, fewest=FEWEST_PAGES)
        if (found.status == PageStatus.ENODATA.value).any():
            found = give_nodes_of_mappings(found, self._footprint.pid, self._footprint.page_size)
        if not (found.status < 0).any():
            self._sparse = False
            return QueryResult(found, join_absences(()))
        self._note(found)
        unasked = (found.status == PageStatus.NOT_ATTEMPTED.value) & ~found.left_out
        asked, holes = found.where(~unasked), found.where(unasked)
        size = self._footprint.page_size
        absent = [join_absences(())]
        if len(holes.address):
            holes, reasons, device = self._of_mappings(holes)
            absent.append(join_absences(((holes.address, holes.pages, reasons),), size))
            # A device may have memory, but the kernel does not show its page tables.
            answered = self._ask(device.address, device.pages, fewest=None)
            asked = join_survey_runs((asked, answered))
        absent.append(absences(asked.address, asked.pages, asked.status, size, self._footprint.pid))
        return QueryResult(join_survey_runs((asked, holes)), merge_absences(absent, size))

    def huge(self, addresses: Addresses, pages: Counts) -> SurveyRuns:
        """Query only huge pages; small pages that the page tables show get NOT_ATTEMPTED."""
        if self._sparse and self._entries is not None:
            found = self._entries.look(addresses, pages)
        else:
            found = self._ask(addresses, pages, fewest=FEWEST_PAGES, ask_small=False)
        self._note(found)
        return found

    def _note(self, found: SurveyRuns) -> None:
        held = (found.status >= 0) | found.left_out
        self._sparse = bool(found.pages[held].sum() < _SPARSE * found.pages.sum())

    def _ask(
        self,
        addresses: Addresses,
        pages: Counts,
        *,
        fewest: int | None,
        ask_small: bool = True,
        in_huge_pages: bool = False,
    ) -> SurveyRuns:
        failure, found = survey_rows(
            addresses,
            pages,
            pid=self._footprint.pid,
            flags=self._flags,
            threads=self._threads,
            fewest=fewest,
            pause=self._pause,
            by_number=self._by_number,
            ask_small=ask_small,
            in_huge_pages=in_huge_pages,
        )
        if failure is None:
            return found
        self.partial = found
        raise failure.take()

    def _of_mappings(self, holes: SurveyRuns) -> tuple[SurveyRuns, Reasons, SurveyRuns]:
        """Give holes in the page tables the status that the kernel would report.

        Return the holes, cut at the ends of mappings, the reason for each, and the runs that must
        be queried all the same.
        """
        size = self._footprint.page_size
        last = int(holes.address[-1]) + int(holes.pages[-1]) * size
        mappings = mappings_within(self._footprint.pid, int(holes.address[0]), last)
        if mappings is None:
            nothing = holes.where(np.zeros(len(holes.address), bool))
            return nothing, np.empty(0, np.uint8), holes
        cut = holes.cut(mappings, size)
        backing = mappings.at(cut.address)
        # do_pages_stat_array(): no mapping and the zero page are EFAULT, no page is ENOENT.
        fault = (backing == Backing.NOTHING.value) | (cut.kind == Presence.ZERO_PAGE.value)
        status = np.where(fault, PageStatus.EFAULT.value, PageStatus.ENOENT.value).astype(np.int32)
        device = backing == Backing.DEVICE.value
        if self._entries is not None:
            status = self._entries.status_of_holes(cut.address, backing)
        cut = cut._replace(status=status)
        reasons = reasons_of(cut.kind, status, backing)
        if self._entries is not None:
            # smaps does not count the zero page as memory, so these holes may contain it.
            unknown = self._entries.passed(cut.address) & (backing == Backing.PRIVATE.value)
            reasons[unknown] = Absence.UNKNOWN.value
        return cut.where(~device), reasons[~device], cut.where(device)

    def runs(self, found: SurveyRuns) -> Runs:
        """Return the runs found, with the bytes of the footprint in each."""
        held = self._footprint.held(found.address, found.pages)
        return make_runs(found.address, found.pages, held, found.status)
