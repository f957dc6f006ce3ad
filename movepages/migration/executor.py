"""Move and preview the pages of a footprint, slice by slice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from .. import _core
from .._core import HUGE_PAGE_BYTES
from ..layouts.patterns import NodeArray
from ..layouts.targets import Target
from ..pages.blocks import cut_rows
from ..pages.named import NamedFootprints
from ..pages.page_set import PageSet
from ..query.absence_reasons import hidden_afterwards
from ..query.page_query import PageQuery
from ..query.survey_runs import SurveyRuns
from ..query.syscall import attach, move_pages, refuse_process, refuse_unusable_nodes
from ..results.absence import Absences, merge_absences
from ..results.failure import Failure
from ..results.member_results import MemberTargets, with_absences
from ..results.outcome import MovePagesError, MoveResult
from ..system.log import info
from . import sizes
from .control import Control
from .folios import HugePages
from .huge_page_targets import OnConflict, TargetChooser
from .preview import refuse_conflicts
from .recheck import recheck_placed
from .slice_migration import SliceMigration
from .slice_record import SliceCounts, SliceRecord, counts_of_runs
from .slices import PageBatch, slices, without_memory
from .tally import Tally

_HUGE_PAGE = np.uintp(HUGE_PAGE_BYTES)


def migrate(
    footprint: PageSet,
    target: Target,
    flags: int,
    control: Control,
    on_conflict: OnConflict,
    members: NamedFootprints | None = None,
) -> MoveResult:
    """Move every page of `footprint` to its target.

    With `members`, the result tells what became of each of them.

    Raises
    ------
    ValueError
        The target cuts through huge pages and ``on_conflict`` is "raise". Nothing has moved.
    MovePagesError
        A call failed as a whole; ``.result`` holds what had been done by then.
    """
    tally = Tally(footprint, None if members is None else MemberTargets(members, target))
    refuse_unusable_nodes(target.distinct, footprint.pid, tally.result)
    move = _Move(footprint, target, flags, control, tally, on_conflict)
    try:
        refuse_process(footprint, flags)
        if on_conflict == "raise":
            refuse_conflicts(footprint, target, move.huge)
        failure = move.run()
        result, size = tally.result(), footprint.page_size
        absent = hidden_afterwards(merge_absences(move.absences, size), result.runs, size)
        result = with_absences(result, absent)
        if failure is None:
            control.finish()
        info("move: %s, in %.3g s by %s", result, result.seconds, _core.engine())
    except BaseException as interruption:
        attach(interruption, tally.result())
        raise
    if failure is not None:
        attach(failure.error, result)
        raise failure.take()
    return result


class _Move:
    """Moves the pages of a footprint that are off their target, block by block."""

    def __init__(
        self,
        footprint: PageSet,
        target: Target,
        flags: int,
        control: Control,
        tally: Tally,
        on_conflict: OnConflict,
    ) -> None:
        self.footprint, self.target, self.flags = footprint, target, flags
        self.control, self.tally = control, tally
        self.huge = HugePages(footprint.pid)
        self.absences: list[Absences] = []
        self._chooser = TargetChooser(target, self.huge, on_conflict)
        self._query = PageQuery(footprint, flags, pause=control)
        self._several = target.only is None
        self._moved_bytes = 0
        self._last: SliceRecord | None = None

    def run(self) -> Failure | None:
        """Return the error that ended the move, or the error of a full node, which did not."""
        failure: Failure | None = None
        for batch in self._to_move():
            failure = self._migrate(batch) or failure
            if failure is not None and not self._goes_on(failure):
                break
        self.tally.count_finished()
        return failure

    def _goes_on(self, failure: Failure) -> bool:
        """Return whether to go on: pages for other nodes can move although one node is full."""
        return isinstance(failure.error, MemoryError) and len(self.target.distinct) > 1

    def _to_move(self) -> Iterator[PageBatch]:
        """Query all blocks, note what needs no move, and yield the rest in slices."""
        size, start = self.footprint.page_size, 0
        for addresses, pages in cut_rows(self.footprint, sizes.MOVE_PAGES, self._query.reach):
            self.control()
            answer = self._query.at(addresses, pages)
            self.absences.append(answer.absences)
            done = self._nothing_to_do(answer.found)
            for batch in slices(answer.found, done, start, size, self._slice_pages()):
                if len(batch.address):
                    yield batch
                else:
                    self._record_aside(batch)
            start += int(pages.sum())

    def _slice_pages(self) -> int:
        fits = self.control.most_bytes / self.footprint.page_size
        return int(max(min(sizes.SLICE_PAGES, fits), HUGE_PAGE_BYTES // self.footprint.page_size))

    def _nothing_to_do(self, found: SurveyRuns) -> npt.NDArray[np.bool_]:
        """Return which runs need no move: absent pages, and pages already on the only target."""
        done = without_memory(found)
        return done if self.target.only is None else done | (found.status == self.target.only)

    def _record_aside(self, batch: PageBatch) -> None:
        """Record runs whose pages are all placed or absent."""
        counts = self._count_aside(batch)
        self.tally.add(counts)
        self.control.done += counts.pages

    def _count_aside(self, batch: PageBatch) -> SliceCounts:
        """Count the runs of a batch that need no move."""
        aside = batch.aside
        runs = self._query.runs(aside)
        if not self._several:
            return counts_of_runs(runs, by_member=self.tally.by_member)
        nowhere = self.target.count_nowhere(batch.aside_number, aside.address, aside.pages)
        return counts_of_runs(runs, nowhere, by_member=self.tally.by_member)

    def _migrate(self, batch: PageBatch) -> Failure | None:
        """Move one slice, and query its neighbour again where both share a huge page."""
        # The caller may write into the array of nodes meanwhile, hence a copy.
        wanted = np.array(self.target.nodes_for(batch.number, batch.address))
        aside = self._count_aside(batch) if len(batch.aside.address) else None
        part = self.tally.begin(batch.address, batch.before, aside)
        failure = self._move_slice(part, wanted)
        if self._several and self._last is not None:
            tail = np.flatnonzero(self._last.addresses >= _before_border(part))
            failure = recheck_placed(self._last, tail, self.footprint.pid, self.flags) or failure
        self._last = part
        self._moved_bytes += part.moved * self.footprint.page_size
        self.tally.count_finished(keep=int(self._several))
        self.control.done += len(batch.address) + (0 if aside is None else aside.pages)
        if failure is None:
            self.control.throttle(self._moved_bytes)
        return failure

    def _move_slice(self, part: SliceRecord, wanted: NodeArray) -> Failure | None:
        try:
            self.control()
            if self._several:
                self._query_border_again(part)
            pid, flags = self.footprint.pid, self.flags
            SliceMigration(part, wanted, self.huge, self._chooser, pid, flags, self.control).run()
        except MovePagesError as error:
            return Failure.of(error)
        return None

    def _query_border_again(self, part: SliceRecord) -> None:
        """Query the first pages again: the last slice may have moved a huge page in both."""
        if self._last is None or part.addresses[0] - self._last.addresses[-1] >= _HUGE_PAGE:
            return
        near = part.addresses < part.addresses[0] + _HUGE_PAGE
        part.before[near] = move_pages(
            part.addresses[near], pid=self.footprint.pid, flags=self.flags
        )


def _before_border(part: SliceRecord) -> np.uintp:
    """Return the lowest address that may share a huge page with the first page of a slice."""
    first: np.uintp = part.addresses[0]
    return first - min(first, _HUGE_PAGE)
