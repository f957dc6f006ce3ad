"""Looking at and moving the pages of a footprint, a slice at a time."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ._core import FRAME_BYTES
from .absence import Absences, hidden_afterwards, merge_absences
from .control import Control
from .errors import MovePagesError, PageStatus
from .footprint import Footprint
from .found import Found
from .hugepages import Folios, HugePages, whole_frames
from .looks import Looks
from .migrate import confirm, migrate_slice
from .move_targets import Target
from .patterns import NodeArray
from .placement import Placement
from .result import MoveResult, result_of_runs
from .rows import Pages, cut_rows, each_page, stretches
from .runs import Runs, join_runs
from .syscall import MPOL_MF_MOVE, attach, move_pages, refuse_unusable_nodes
from .tally import Slice, Tally

# Bounds the scratch memory, about 3 MiB, and is one chunk of the driver's.
SLICE_PAGES = 1 << 16
# A survey's memory is for runs and not for pages: of 4 KiB, 4 GiB at a time.
SURVEY_PAGES = 1 << 20
# What was found is to be young when it is acted upon: of 4 KiB, 1 GiB at a time.
MOVE_PAGES = 1 << 18

_FRAME = np.uintp(FRAME_BYTES)


def survey(footprint: Footprint, threads: int | None, *, shortcuts: bool) -> Placement:
    """Ask where every page of `footprint` is."""
    looks = Looks(footprint, MPOL_MF_MOVE, threads, shortcuts=shortcuts)
    parts: list[Runs] = []
    told: list[Absences] = []
    try:
        _refuse_process(footprint, MPOL_MF_MOVE)
        for addresses, pages in cut_rows(footprint, SURVEY_PAGES):
            look = looks.at(addresses, pages)
            parts.append(looks.runs(look.found))
            told.append(look.absences)
    except BaseException as error:
        if looks.partial is not None:
            parts.append(looks.runs(looks.partial))
        attach(error, result_of_runs(parts, footprint.pages))
        raise
    return Placement(
        address=footprint.address,
        nbytes=footprint.nbytes,
        pages=footprint.pages,
        page_size=footprint.page_size,
        shared_edges=footprint.shared_edges,
        pid=footprint.pid,
        runs=join_runs(parts, footprint.page_size),
        absences=merge_absences(told, footprint.page_size),
    )


def migrate(
    footprint: Footprint, target: Target, flags: int, control: Control, *, may_overrule: bool
) -> MoveResult:
    """Move every page of `footprint` to its target.

    Raises
    ------
    ValueError
        The target cuts through huge pages and may not; nothing has moved.
    MovePagesError
        A call failed as a whole; ``.result`` tells what was done by then.
    """
    tally = Tally(footprint)
    refuse_unusable_nodes(target.distinct, footprint.pid, tally.result)
    move = _Move(footprint, target, flags, control, tally)
    failure: MovePagesError | None = None
    try:
        _refuse_process(footprint, flags)
        if not may_overrule:
            _refuse_conflicts(footprint, target, move.huge)
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
    """Goes through the blocks of a footprint and moves what is not where it is wanted."""

    def __init__(
        self, footprint: Footprint, target: Target, flags: int, control: Control, tally: Tally
    ) -> None:
        self.footprint, self.target, self.flags = footprint, target, flags
        self.control, self.tally = control, tally
        self.huge = HugePages(footprint.pid)
        self.told: list[Absences] = []
        self._looks = Looks(footprint, flags, pause=control)
        self._index = self._moved = 0
        self._last: Slice | None = None

    def run(self) -> MovePagesError | None:
        """Return what ended the move early, or a full node that did not."""
        failure: MovePagesError | None = None
        try:
            for pages in self._to_move():
                failure = self._migrate(pages) or failure
                if failure and not _goes_on(failure, self.target):
                    break
            self.tally.settle()
            return failure
        finally:
            # A frame and its exception would keep each other, and the caller's array, alive.
            del failure

    def _to_move(self) -> Iterator[Pages]:
        """Look at all blocks, take in what needs no move, and give out the rest in slices."""
        for addresses, pages in cut_rows(self.footprint, MOVE_PAGES):
            self.control()
            look = self._looks.at(addresses, pages)
            self.told.append(look.absences)
            found = look.found
            for stretch in stretches(self._nothing_to_do(found), found.pages):
                part = found.where(slice(stretch.first, stretch.last))
                if stretch.done:
                    self._take(part)
                else:
                    yield from each_page(part, self.footprint.page_size, self._slice_pages())

    def _slice_pages(self) -> int:
        fits = self.control.most_bytes / self.footprint.page_size
        return int(max(min(SLICE_PAGES, fits), FRAME_BYTES // self.footprint.page_size))

    def _nothing_to_do(self, found: Found) -> npt.NDArray[np.bool_]:
        node = self.target.only
        if node is None:
            return np.zeros(len(found.pages), bool)
        absent = (found.status < 0) & (found.status != PageStatus.ENODATA.value)
        done: npt.NDArray[np.bool_] = (found.status == node) | absent
        return done

    def _take(self, found: Found) -> None:
        """Note runs of which every page is placed or absent."""
        self.tally.add(self._looks.runs(found))
        self._index += int(found.pages.sum())
        self.control.done += int(found.pages.sum())

    def _migrate(self, pages: Pages) -> MovePagesError | None:
        count = len(pages.address)
        # A copy: the caller may write into the array of nodes while this goes on.
        wanted = np.array(self.target.part(self._index, pages.address))
        part = self.tally.begin(pages.address)
        several = self.target.only is None
        failure: MovePagesError | None = None
        try:
            self.control()
            if several:
                self._ask_again_at_the_border(pages)
            migrate_slice(
                part, pages.before, wanted, self.huge, self.footprint.pid, self.flags, self.control
            )
        except MovePagesError as error:
            failure = error
        if several and self._last is not None:
            tail = self._last.addresses >= pages.address[0] - min(pages.address[0], _FRAME)
            pid = self.footprint.pid
            failure = confirm(self._last, np.flatnonzero(tail), pid, self.flags) or failure
        self._last = part
        moved = int(np.count_nonzero((part.status >= 0) & ~part.there))
        self._moved += moved * self.footprint.page_size
        self.tally.settle(keep=int(several))
        self._index += count
        self.control.done += count
        try:
            if failure is None:
                self.control.keep_to_limit(self._moved)
            return failure
        finally:
            del failure

    def _ask_again_at_the_border(self, pages: Pages) -> None:
        """Ask for what the slice before may have taken along: a folio can lie in both."""
        if self._last is None or pages.address[0] - self._last.addresses[-1] >= _FRAME:
            return
        near = pages.address < pages.address[0] + _FRAME
        pages.before[near] = move_pages(
            pages.address[near], pid=self.footprint.pid, flags=self.flags
        )


def preview(
    footprint: Footprint, target: Target
) -> Iterator[tuple[NodeArray, NodeArray, NodeArray]]:
    """Stream where pages are, where they are wanted, and where they would go: nothing moves."""
    looks, huge, start = Looks(footprint, MPOL_MF_MOVE), HugePages(footprint.pid), 0
    for addresses, rows in cut_rows(footprint, MOVE_PAGES):
        found = looks.at(addresses, rows).found
        for pages in each_page(found, footprint.page_size, SLICE_PAGES):
            wanted = target.part(start, pages.address)
            folios = Folios.find(pages.address, wanted, huge)
            yield pages.before, wanted, folios.spread(folios.settle(wanted)[0])
            start += len(wanted)


def _slices(
    footprint: Footprint, target: Target
) -> Iterator[tuple[npt.NDArray[np.uintp], NodeArray]]:
    start = 0
    for addresses, _ in whole_frames(footprint.chunks(SLICE_PAGES)):
        yield addresses, target.part(start, addresses)
        start += len(addresses)


def _refuse_conflicts(footprint: Footprint, target: Target, huge: HugePages) -> None:
    """Look at all huge pages before anything moves."""
    if len(target.distinct) < 2:
        return
    overruled = sum(
        Folios.find(addresses, wanted, huge).settle(wanted)[1]
        for addresses, wanted in _slices(footprint, target)
    )
    if overruled:
        raise ValueError(
            f"target: {overruled:,} pages are pieces of huge pages of which other pieces are to go "
            'elsewhere, and a huge page is on one node; pass on_conflict="majority", or a target '
            f"that changes at multiples of {FRAME_BYTES:,} bytes only"
        )


def _refuse_process(footprint: Footprint, flags: int) -> None:
    """Let the kernel check process and permission, also where there is no page to ask for."""
    if footprint.pages == 0 or footprint.pid != 0 or flags != MPOL_MF_MOVE:
        move_pages(np.empty(0, np.uintp), pid=footprint.pid, flags=flags)


def _goes_on(failure: MovePagesError, target: Target) -> bool:
    """One full node is no reason to leave the pages for other nodes where they are."""
    return failure.errno == errno.ENOMEM and len(target.distinct) > 1
