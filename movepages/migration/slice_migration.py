"""Move one slice of pages: settle targets, move in turns, query doubtful pages again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .. import _core
from .._core import HUGE_PAGE_BYTES
from ..layouts.patterns import NOWHERE, NodeArray
from ..pages.arguments import Addresses
from ..query.syscall import move_in_slices, move_pages
from ..results.outcome import MovePagesError
from ..results.status import PageStatus
from .conflicts import Groups, carried_along, near
from .control import Control
from .folios import HugePages, Indices
from .huge_page_targets import Settler
from .recheck import recheck_placed, where_now
from .splitting import fill_holes, split_at
from .tally import SliceRecord


def migrate_slice(
    part: SliceRecord,
    before: NodeArray,
    wanted: NodeArray,
    huge: HugePages,
    settler: Settler,
    pid: int,
    flags: int,
    control: Control,
) -> None:
    """Move one slice whose pages were on `before`; `part` stays true whatever is raised."""
    _Migration(part, before, wanted, huge, settler, pid, flags, control).run()


class _Migration:
    def __init__(
        self,
        part: SliceRecord,
        before: NodeArray,
        wanted: NodeArray,
        huge: HugePages,
        settler: Settler,
        pid: int,
        flags: int,
        control: Control,
    ) -> None:
        self.part, self.huge, self.pid, self.flags, self.control = part, huge, pid, flags, control
        self.before, self.settler = before, settler
        settled = settler.settle(part.addresses, before, wanted)
        self.folios, self.target = settled.folios, settled.target
        self._split_huge_pages = settled.split_at // np.uintp(HUGE_PAGE_BYTES)
        part.split, part.wanted, part.target = settled.split, settled.wanted, settled.each
        part.is_torn = settler.torn
        self.pages = self.folios.first(part.addresses)
        highest = self.target.max()
        self.several = bool(((self.target != highest) & (self.target != NOWHERE)).any())
        self.lost: MovePagesError | None = None

    def run(self) -> None:
        try:
            self._take_turns()
        finally:
            self._spare_overruled()
        self._raise_if_lost()

    def _take_turns(self) -> None:
        # The kernel moves up to 512 pages of one target with one TLB flush, so targets are grouped.
        # A page that was absent in the placement to restore, and is absent now, needs nothing.
        before = np.ascontiguousarray(self._of_folios(self.before))
        wanted = np.ascontiguousarray(self.target)
        status, there, todo, pages, nodes = _core.sort_out(self.pages, before, wanted)
        self._tell(status, there)
        while len(todo):
            self.part.rounds += 1
            self._attempt(todo, pages, nodes)
            if self.part.rounds == 1:
                self._settle_what_moves_together()
                nodes = self.folios.first(self.part.target)[todo]
            self.control.end_turn()
            # The status of a folio is the worst status of its pages.
            said = self.folios.least(self.part.status)[todo]
            again = self._worth_a_turn(said)
            todo, pages, nodes = todo[again], pages[again], nodes[again]
            if len(todo) and not self.control.waits_for_turn(self.part.rounds):
                break

    def _spare_overruled(self) -> None:
        """Count overruled pages as placed if their huge page stayed where they were wanted."""
        part = self.part
        failed = (part.status < 0) & (part.status != PageStatus.NOT_ATTEMPTED.value)
        pages = np.flatnonzero(failed & (part.wanted != part.target) & (part.wanted != NOWHERE))
        if not len(pages):
            return
        now, lost = where_now(part, pages, self.pid, self.flags)
        self.lost = self.lost or lost
        placed = now == part.wanted[pages]
        status, there = part.status.copy(), part.there.copy()
        status[pages[placed]] = now[placed]
        there[pages[placed]] = self.before[pages[placed]] == now[placed]
        part.tell(status, there)

    def _of_folios(self, before: NodeArray) -> NodeArray:
        """Return the node of each folio; query folios whose pages were on several nodes again."""
        said = self.folios.first(before)
        differs = self.folios.differ(before)
        if len(differs):
            said[differs] = move_pages(self.pages[differs], pid=self.pid, flags=self.flags)
        return said

    def _worth_a_turn(self, said: NodeArray) -> npt.NDArray[np.bool_]:
        worth = said < 0
        if worth.any():
            worth &= np.isin(said, [int(status) for status in self.control.retry.reasons])
        return worth

    def _attempt(self, todo: Indices, pages: Addresses, nodes: NodeArray) -> None:
        outcome = np.full(len(todo), PageStatus.NOT_ATTEMPTED.value, np.int32)
        pieces, turn = self._pieces(todo)
        whole = False
        self.part.expect(pieces, turn, outcome)
        try:
            move_in_slices(
                pages, nodes, outcome,
                pid=self.pid, flags=self.flags, pause=self.control,
            )  # fmt: skip
            whole = True
        finally:
            self._settle()
            self._look_again(todo, pieces, go_on=whole)
        self._raise_if_lost()

    def _pieces(self, todo: Indices) -> tuple[Indices, Indices]:
        """Return the pages of the folios in `todo`, and each page's index into `todo`."""
        if self.folios.counts is None:
            return todo, np.arange(len(todo))
        turn = np.full(len(self.pages), -1)
        turn[todo] = np.arange(len(todo))
        turn = self.folios.spread(turn)
        pieces = np.flatnonzero(turn >= 0)
        return pieces, turn[pieces]

    def _settle_what_moves_together(self) -> None:
        """Find pages that moved together; split them or give them one target; move them."""
        part = self.part
        if not (self.several and (part.status == PageStatus.EBUSY.value).any()):
            return
        splits = self.settler.on_conflict == "split" and not self._keeps_whole
        found = self._move_together(splits=splits)
        if splits and len(found):
            # Groups that could not be split go by majority. Some of them were counted as split.
            huge_pages = found // np.uintp(HUGE_PAGE_BYTES)
            part.split += int(np.count_nonzero(~np.isin(huge_pages, self._split_huge_pages)))
            left = self._move_together(splits=False)
            part.split = max(part.split - len(left), 0)

    @property
    def _keeps_whole(self) -> bool:
        """Whether the layout shifts its borders to lie between huge pages."""
        return self.settler.adapts and self.settler.shares is None

    def _move_together(self, *, splits: bool) -> Addresses:
        """Return one page of each group of pages that move together."""
        part = self.part
        busy = (part.status == PageStatus.EBUSY.value) & (part.target != NOWHERE)
        if not busy.any():
            return part.addresses[:0]
        seen = np.flatnonzero(near(part.addresses, busy))
        try:
            groups = carried_along(
                part.addresses, busy, part.target, pid=self.pid, flags=self.flags
            )
            if groups.number:
                self._send(groups, splits=splits)
        finally:
            self._see(seen)
        self._raise_if_lost()
        return part.addresses[groups.first()]

    def _send(self, groups: Groups, *, splits: bool) -> None:
        """Move groups of pages to one node each, or split them and move page by page."""
        part, first = self.part, groups.first()
        if splits:
            split_at(part.addresses[first], self.pid)
            pages = np.flatnonzero(groups.of >= 0)
            fill_holes(part.addresses[pages], self.pid)
        else:
            chosen = self.settler.balance.choose(*groups.votes(part.wanted))
            inside = groups.of >= 0
            target = part.target.copy()
            target[inside] = chosen[groups.of[inside]]
            part.target = target
            if self._keeps_whole:
                part.wanted = target
            pages = first
        pages = pages[part.target[pages] != NOWHERE]
        pages = pages[np.argsort(part.target[pages], kind="stable")]
        move_pages(part.addresses[pages], part.target[pages], pid=self.pid, flags=self.flags)

    def _see(self, pages: Indices) -> None:
        """Query some pages again, and update the status of each that has a target."""
        part = self.part
        pages = pages[part.target[pages] != NOWHERE]
        now, self.lost = where_now(part, pages, self.pid, self.flags)
        target = part.target[pages]
        status, there = part.status.copy(), part.there.copy()
        placed = now == target
        # A page that failed for a reason of its own keeps this status.
        failed = (part.status[pages] < 0) & (part.status[pages] != PageStatus.EBUSY.value)
        said = np.where(failed, part.status[pages], PageStatus.EBUSY.value)
        status[pages] = np.where(placed | (now < 0), now, said)
        there[pages] = placed & (self.before[pages] == target)
        part.tell(status, there)

    def _raise_if_lost(self) -> None:
        """Raise the error of a failed query, unless another error is on its way."""
        lost, self.lost = self.lost, None
        try:
            if lost is not None:
                raise lost
        finally:
            del lost

    def _settle(self) -> None:
        """Turn the expected statuses of the last call into recorded ones."""
        self.part.tell(self.part.status, self.part.there)

    def _tell(self, status: NodeArray, there: npt.NDArray[np.bool_]) -> None:
        self.part.tell(self.folios.spread(status), self.folios.spread(there))

    def _look_again(self, todo: Indices, pieces: Indices, *, go_on: bool) -> None:
        """Query statuses again that a huge page may have made untrue."""
        if self.several:
            # The driver has queried all pages of a call that ended by itself again.
            others = np.ones(len(self.part.addresses), bool)
            others[pieces] = not go_on
            self.lost = recheck_placed(self.part, np.flatnonzero(others), self.pid, self.flags)
        if self.lost is not None:
            return
        split = self._split(todo)
        if len(split):
            self._one_by_one(split, go_on=go_on)

    def _split(self, todo: Indices) -> Indices:
        """Return the pages of huge pages in `todo` that the kernel may have split."""
        if self.folios.counts is None:
            return np.empty(0, np.int64)
        several = np.zeros(len(self.pages), bool)
        several[todo] = self.folios.counts[todo] > 1
        if not several.any():
            return np.empty(0, np.int64)
        pieces = self.folios.spread(several)
        still = self.huge.now(self.part.addresses)
        return np.flatnonzero(pieces if still is None else pieces & ~still)

    def _one_by_one(self, pieces: Indices, *, go_on: bool) -> None:
        """Move the pages of huge pages that the kernel split because the target node was full."""
        part, target = self.part, self.part.target
        now, self.lost = where_now(part, pieces, self.pid, self.flags)
        placed = now == target[pieces]
        # A small page that did not move keeps the status of its huge page, unless that was success.
        said = np.where(part.status[pieces] >= 0, PageStatus.EBUSY.value, part.status[pieces])
        status = part.status.copy()
        status[pieces] = np.where(placed | (now < 0), now, said)
        part.tell(status, part.there)
        left = pieces[~placed & (now >= 0)]
        if go_on and len(left):
            outcome = np.full(len(left), PageStatus.NOT_ATTEMPTED.value, np.int32)
            part.expect(left, np.arange(len(left)), outcome)
            try:
                move_pages(
                    part.addresses[left], target[left], outcome, pid=self.pid, flags=self.flags
                )
            finally:
                self._settle()
