"""Move and preview the pages of a footprint, slice by slice."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .._core import HUGE_PAGE_BYTES
from ..layouts.targets import Target
from ..pages.blocks import cut_rows
from ..pages.footprint import Footprint
from ..query.absence_reasons import hidden_afterwards
from ..query.page_query import PageQuery
from ..query.survey_runs import SurveyRuns
from ..query.syscall import attach, move_pages, refuse_process, refuse_unusable_nodes
from ..results.absence import Absences, merge_absences
from ..results.outcome import MovePagesError, MoveResult
from . import sizes
from .control import Control
from .folios import HugePages
from .huge_page_targets import OnConflict, Settler
from .preview import refuse_conflicts, without_memory
from .recheck import recheck_placed
from .slice_migration import migrate_slice
from .slices import PageBatch, slices
from .tally import SliceCounts, SliceRecord, Tally, sum_aside

_HUGE_PAGE = np.uintp(HUGE_PAGE_BYTES)


def migrate(
    footprint: Footprint, target: Target, flags: int, control: Control, on_conflict: OnConflict
) -> MoveResult:
    """Move every page of `footprint` to its target.

    Raises
    ------
    ValueError
        The target cuts through huge pages and ``on_conflict`` is "raise". Nothing has moved.
    MovePagesError
        A call failed as a whole; ``.result`` holds what had been done by then.
    """
    tally = Tally(footprint)
    refuse_unusable_nodes(target.distinct, footprint.pid, tally.result)
    move = _Move(footprint, target, flags, control, tally, on_conflict)
    failure: MovePagesError | None = None
    try:
        refuse_process(footprint, flags)
        if on_conflict == "raise":
            refuse_conflicts(footprint, target, move.huge)
        failure = move.run()
        result, size = tally.result(), footprint.page_size
        absent = hidden_afterwards(merge_absences(move.told, size), result.runs, size)
        result = replace(result, absences=absent)
        if not failure:
            control.finish()
    except BaseException as interruption:
        attach(interruption, tally.result())
        raise
    if failure:
        attach(failure, result)
        try:
            raise failure
        finally:
            failure = None
    return result


class _Move:
    """Goes through a footprint block by block and moves the pages that are off their target."""

    def __init__(
        self,
        footprint: Footprint,
        target: Target,
        flags: int,
        control: Control,
        tally: Tally,
        on_conflict: OnConflict,
    ) -> None:
        self.footprint, self.target, self.flags = footprint, target, flags
        self.control, self.tally = control, tally
        self.huge = HugePages(footprint.pid)
        self._settler = Settler(target, self.huge, on_conflict)
        self.told: list[Absences] = []
        self._looks = PageQuery(footprint, flags, pause=control)
        self._moved = 0
        self._last: SliceRecord | None = None

    def run(self) -> MovePagesError | None:
        """Return the error that ended the move early, or that of a full node, which did not."""
        failure: MovePagesError | None = None
        try:
            for pages in self._to_move():
                failure = self._migrate(pages) or failure
                if failure and not _goes_on(failure, self.target):
                    break
            self.tally.settle()
            return failure
        finally:
            # The stack frame and its exception would keep each other, and the array, alive.
            del failure

    def _to_move(self) -> Iterator[PageBatch]:
        """Query all blocks, note what needs no move, and yield the rest in slices."""
        size, start = self.footprint.page_size, 0
        for addresses, pages in cut_rows(self.footprint, sizes.MOVE_PAGES, self._looks.reach):
            self.control()
            look = self._looks.at(addresses, pages)
            self.told.append(look.absences)
            done = self._nothing_to_do(look.found)
            for part in slices(look.found, done, start, size, self._slice_pages()):
                if len(part.address):
                    yield part
                else:
                    self._take(part)
            start += int(pages.sum())

    def _slice_pages(self) -> int:
        fits = self.control.most_bytes / self.footprint.page_size
        return int(max(min(sizes.SLICE_PAGES, fits), HUGE_PAGE_BYTES // self.footprint.page_size))

    def _nothing_to_do(self, found: SurveyRuns) -> npt.NDArray[np.bool_]:
        """Return which runs need no move: absent pages, and pages already on the only target."""
        done = without_memory(found)
        return done if self.target.only is None else done | (found.status == self.target.only)

    def _take(self, pages: PageBatch) -> None:
        """Record runs whose pages are all placed or absent."""
        settled = self._settled(pages)
        self.tally.add(settled)
        self.control.done += settled.pages

    def _settled(self, pages: PageBatch) -> SliceCounts:
        """Count the runs of a batch that need no move."""
        aside = pages.aside
        runs = self._looks.runs(aside)
        if self.target.only is not None:
            return sum_aside(runs)
        nowhere = self.target.count_nowhere(pages.aside_number, aside.address, aside.pages)
        return sum_aside(runs, nowhere)

    def _migrate(self, pages: PageBatch) -> MovePagesError | None:
        # The caller may write into the array of nodes meanwhile, hence a copy.
        wanted = np.array(self.target.nodes_for(pages.number, pages.address))
        aside = self._settled(pages) if len(pages.aside.address) else None
        part = self.tally.begin(pages.address, aside)
        several = self.target.only is None
        failure: MovePagesError | None = None
        try:
            self.control()
            if several:
                self._ask_again_at_the_border(pages)
            migrate_slice(
                part,
                pages.before,
                wanted,
                self.huge,
                self._settler,
                self.footprint.pid,
                self.flags,
                self.control,
            )
        except MovePagesError as error:
            failure = error
        if several and self._last is not None:
            tail = self._last.addresses >= pages.address[0] - min(pages.address[0], _HUGE_PAGE)
            pid = self.footprint.pid
            failure = recheck_placed(self._last, np.flatnonzero(tail), pid, self.flags) or failure
        self._last = part
        moved = int(np.count_nonzero((part.status >= 0) & ~part.there))
        self._moved += moved * self.footprint.page_size
        self.tally.settle(keep=int(several))
        self.control.done += len(pages.address) + (0 if aside is None else aside.pages)
        try:
            if failure is None:
                self.control.throttle(self._moved)
            return failure
        finally:
            del failure

    def _ask_again_at_the_border(self, pages: PageBatch) -> None:
        """Query the first pages again: the slice before may have moved a folio in both."""
        if self._last is None or pages.address[0] - self._last.addresses[-1] >= _HUGE_PAGE:
            return
        near = pages.address < pages.address[0] + _HUGE_PAGE
        pages.before[near] = move_pages(
            pages.address[near], pid=self.footprint.pid, flags=self.flags
        )


def _goes_on(failure: MovePagesError, target: Target) -> bool:
    """Return whether to go on: pages for other nodes can move although one node is full."""
    return failure.errno == errno.ENOMEM and len(target.distinct) > 1
