"""Move one slice of pages to its targets: the steps, in the order in which they are taken."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .. import _core
from .._core import HUGE_PAGE_BYTES
from ..layouts.patterns import NOWHERE, NodeArray
from ..pages.arguments import Addresses
from ..query.syscall import move_in_slices, move_pages
from ..results.failure import Failure
from ..results.status import PageStatus
from .control import Control
from .folios import HugePages
from .huge_page_targets import TargetChooser
from .moving_together import MovingTogether
from .recheck import recheck_placed, where_now
from .slice_record import Indices, SliceRecord

_BUSY, _NOT_ATTEMPTED = PageStatus.EBUSY.value, PageStatus.NOT_ATTEMPTED.value


class _Turn(NamedTuple):
    """What one turn asks of the kernel: one entry a folio, entries of one target in a row."""

    folios: Indices
    pages: Addresses
    nodes: NodeArray


class SliceMigration:
    """Moves one slice of pages.

    Parameters
    ----------
    part : SliceRecord
        The slice; it stays true whatever is raised.
    wanted : ndarray of int32
        Node wanted for each page; negative for none.
    huge : HugePages
        Where huge pages are.
    chooser : TargetChooser
        Chooses the target of each huge page.
    pid, flags : int
        As for `move_pages`.
    control : Control
        Ends the move early, and decides about further turns.
    """

    def __init__(
        self,
        part: SliceRecord,
        wanted: NodeArray,
        huge: HugePages,
        chooser: TargetChooser,
        pid: int,
        flags: int,
        control: Control,
    ) -> None:
        self.part, self.huge, self.chooser = part, huge, chooser
        self.pid, self.flags, self.control = pid, flags, control
        self._failure: Failure | None = None
        self._choose_targets(wanted)

    def run(self) -> None:
        """Take the slice through its turns.

        Raises
        ------
        MovePagesError
            A call failed as a whole, or the control ended the move.
        """
        turn = self._sort_out()
        try:
            while len(turn.folios):
                self.part.rounds += 1
                self._attempt(turn)
                if self.part.rounds == 1 and self._several and self.part.busy().any():
                    self._together.resolve()
                turn = self._next_turn(turn)
        finally:
            self._accept_overruled()
        self._raise_failure()

    def _choose_targets(self, wanted: NodeArray) -> None:
        """Choose one target for each folio; with "split", split the folios it would cut."""
        part = self.part
        chosen = self.chooser.choose(part.addresses, part.before, wanted)
        self.folios = chosen.folios
        part.split, part.wanted, part.target = chosen.split, chosen.wanted, chosen.each
        part.torn = chosen.torn
        split = chosen.split_at // np.uintp(HUGE_PAGE_BYTES)
        self._together = MovingTogether(part, self.chooser, split, self.pid, self.flags)
        self._targets, self._pages = chosen.target, self.folios.first(part.addresses)
        highest = chosen.target.max()
        self._several = bool(((chosen.target != highest) & (chosen.target != NOWHERE)).any())

    def _sort_out(self) -> _Turn:
        """Record pages that are absent or in place; return a turn for the others."""
        # The kernel moves up to 512 pages of one target with one TLB flush, so targets are grouped.
        # A page that was absent in the placement to restore, and is absent now, needs nothing.
        before = np.ascontiguousarray(self._nodes_of_folios())
        target = np.ascontiguousarray(self._targets)
        status, there, folios, pages, nodes = _core.sort_out(self._pages, before, target)
        self.part.record(self.folios.spread(status), self.folios.spread(there))
        return _Turn(folios, pages, nodes)

    def _nodes_of_folios(self) -> NodeArray:
        """Return the node of each folio; query a folio again if its pages were on several nodes."""
        nodes = self.folios.first(self.part.before)
        differs = self.folios.differ(self.part.before)
        if len(differs):
            nodes[differs] = move_pages(self._pages[differs], pid=self.pid, flags=self.flags)
        return nodes

    def _attempt(self, turn: _Turn) -> None:
        """Ask the kernel to move the folios of a turn, and check the pages it may have affected."""
        pages, entries = self.folios.pages_of(turn.folios)
        whole = False
        outcome = self.part.expect(pages, entries, len(turn.folios))
        try:
            move_in_slices(
                turn.pages, turn.nodes, outcome,
                pid=self.pid, flags=self.flags, pause=self.control,
                threads=self.control.threads_for(len(pages)),
            )  # fmt: skip
            whole = True
        finally:
            self.part.take_expected()
            self._check(turn.folios, pages, go_on=whole)
        self._raise_failure()

    def _check(self, folios: Indices, pages: Indices, *, go_on: bool) -> None:
        """Query again the pages whose status a huge page may have made untrue."""
        if self._several:
            # The driver has queried all pages of a call that ended by itself again.
            others = np.ones(len(self.part.addresses), bool)
            others[pages] = not go_on
            failure = recheck_placed(self.part, np.flatnonzero(others), self.pid, self.flags)
            if failure is not None:
                self._failure = failure
                return
        split = self._split_by_kernel(folios)
        if len(split):
            self._one_by_one(split, go_on=go_on)

    def _split_by_kernel(self, folios: Indices) -> Indices:
        """Return the pages of some folios that the kernel may have split."""
        counts = self.folios.counts
        if counts is None:
            return folios[:0]
        pages, _ = self.folios.pages_of(folios[counts[folios] > 1])
        if not len(pages):
            return pages
        still = self.huge.now(self.part.addresses)
        return pages if still is None else pages[~still[pages]]

    def _one_by_one(self, pages: Indices, *, go_on: bool) -> None:
        """Move the pages of huge pages that the kernel split because the target node was full."""
        part, target = self.part, self.part.target
        now, self._failure = where_now(part, pages, self.pid, self.flags)
        placed = now == target[pages]
        # A small page that did not move keeps the status of its huge page, unless that was success.
        otherwise = np.where(part.status[pages] >= 0, _BUSY, part.status[pages])
        part.update(pages, np.where(placed | (now < 0), now, otherwise))
        left = pages[~placed & (now >= 0)]
        if go_on and len(left):
            outcome = part.expect(left, np.arange(len(left)), len(left))
            try:
                move_pages(
                    part.addresses[left], target[left], outcome, pid=self.pid, flags=self.flags
                )
            finally:
                part.take_expected()

    def _next_turn(self, turn: _Turn) -> _Turn:
        """Wait, and return the folios that get another turn; none if the policy allows none."""
        self.control.end_turn()
        # The status of a folio is the worst status of its pages.
        status = self.folios.least(self.part.status)[turn.folios]
        again = turn.folios[self._worth_a_turn(status)]
        if len(again) and not self.control.waits_for_turn(self.part.rounds):
            again = again[:0]
        return _Turn(again, self._pages[again], self.folios.first(self.part.target)[again])

    def _worth_a_turn(self, status: NodeArray) -> npt.NDArray[np.bool_]:
        worth = status < 0
        if worth.any():
            worth &= np.isin(status, [int(reason) for reason in self.control.retry.reasons])
        return worth

    def _accept_overruled(self) -> None:
        """Count overruled pages as placed if their huge page stayed where they were wanted."""
        part = self.part
        failed = (part.status < 0) & (part.status != _NOT_ATTEMPTED)
        pages = np.flatnonzero(failed & (part.wanted != part.target) & (part.wanted != NOWHERE))
        if not len(pages):
            return
        now, failure = where_now(part, pages, self.pid, self.flags)
        self._failure = self._failure or failure
        placed = now == part.wanted[pages]
        pages, now = pages[placed], now[placed]
        part.update(pages, now, part.before[pages] == now)

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure.take()
