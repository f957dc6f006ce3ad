"""Give pages that turn out to move together one target, or split what holds them together."""

from __future__ import annotations

import numpy as np

from .._core import HUGE_PAGE_BYTES
from ..layouts.patterns import NOWHERE
from ..pages.arguments import Addresses
from ..query.syscall import move_pages
from ..results.failure import Failure
from ..results.status import PageStatus
from .conflicts import Groups, carried_along, near
from .huge_page_targets import TargetChooser
from .recheck import where_now
from .slice_record import Indices, SliceRecord
from .splitting import fill_holes, split_at

_BUSY = PageStatus.EBUSY.value


class MovingTogether:
    """Pages of a slice that failed with EBUSY because pages that moved later took them along.

    Parameters
    ----------
    part : SliceRecord
        The slice after its first turn.
    chooser : TargetChooser
        Votes for the target of each group.
    split_before : ndarray of uintp
        Numbers of huge pages that count as split already.
    pid, flags : int
        As for `move_pages`.
    """

    def __init__(
        self,
        part: SliceRecord,
        chooser: TargetChooser,
        split_before: Addresses,
        pid: int,
        flags: int,
    ) -> None:
        self.part, self.chooser, self.pid, self.flags = part, chooser, pid, flags
        self._split_before = split_before

    def resolve(self) -> None:
        """Find groups of pages that move together; split each group or move it to one node.

        Raises
        ------
        MovePagesError
            A call failed as a whole. The slice is recorded as it is then.
        """
        part = self.part
        splits = self.chooser.on_conflict == "split" and not self.chooser.shifts_borders
        found = self._move_groups(splits=splits)
        if splits and len(found):
            # Groups that could not be split go by majority. Some of them were counted as split.
            huge_pages = found // np.uintp(HUGE_PAGE_BYTES)
            part.split += int(np.count_nonzero(~np.isin(huge_pages, self._split_before)))
            left = self._move_groups(splits=False)
            part.split = max(part.split - len(left), 0)

    def _move_groups(self, *, splits: bool) -> Addresses:
        """Find groups and move each; return one page of each group."""
        part, busy = self.part, self.part.busy()
        if not busy.any():
            return part.addresses[:0]
        touched = np.flatnonzero(near(part.addresses, busy))
        try:
            groups = carried_along(
                part.addresses, busy, part.target, pid=self.pid, flags=self.flags
            )
            if groups.number:
                self._send(groups, splits=splits)
        finally:
            failure = self._recheck(touched)
        if failure is not None:
            raise failure.take()
        return part.addresses[groups.first()]

    def _send(self, groups: Groups, *, splits: bool) -> None:
        """Move each group to one node, or split its huge pages and move page by page."""
        part, pages = self.part, groups.first()
        if splits:
            split_at(part.addresses[pages], self.pid)
            pages = np.flatnonzero(groups.of >= 0)
            fill_holes(part.addresses[pages], self.pid)
        else:
            chosen = self.chooser.balance.choose(*groups.votes(part.wanted))
            inside = groups.of >= 0
            target = part.target.copy()
            target[inside] = chosen[groups.of[inside]]
            part.target = target
            part.wanted = self.chooser.shifted(part.addresses, target, part.wanted)
        pages = pages[part.target[pages] != NOWHERE]
        pages = pages[np.argsort(part.target[pages], kind="stable")]
        move_pages(part.addresses[pages], part.target[pages], pid=self.pid, flags=self.flags)

    def _recheck(self, pages: Indices) -> Failure | None:
        """Query some pages again, and update the status of each that has a target."""
        part = self.part
        pages = pages[part.target[pages] != NOWHERE]
        now, failure = where_now(part, pages, self.pid, self.flags)
        placed = now == part.target[pages]
        # A page that failed for a reason of its own keeps this status.
        failed = (part.status[pages] < 0) & (part.status[pages] != _BUSY)
        otherwise = np.where(failed, part.status[pages], _BUSY)
        there = placed & (part.before[pages] == part.target[pages])
        part.update(pages, np.where(placed | (now < 0), now, otherwise), there)
        return failure
