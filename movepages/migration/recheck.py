"""Query pages again whose status a move may have made untrue."""

from __future__ import annotations

import numpy as np

from ..layouts.patterns import NOWHERE, NodeArray
from ..query.syscall import move_pages
from ..results.outcome import MovePagesError
from ..results.status import PageStatus
from .folios import Indices
from .tally import SliceRecord


def recheck_placed(
    part: SliceRecord, pages: Indices, pid: int, flags: int
) -> MovePagesError | None:
    """Query pages again that an unknown folio may have carried off their target, or onto it.

    Returns
    -------
    MovePagesError or None
        The error of the query, which is returned and not raised; `part` keeps what it knew.
    """
    busy = part.status[pages] == PageStatus.EBUSY.value
    open_ = pages[((part.status[pages] >= 0) | busy) & (part.target[pages] != NOWHERE)]
    if not len(open_):
        return None
    now, lost = where_now(part, open_, pid, flags)
    # A page that its folio overruled may be where it was wanted after all.
    elsewhere = (now != part.target[open_]) & (now != part.wanted[open_])
    gone = open_[elsewhere]
    status, there = part.status.copy(), part.there.copy()
    status[open_] = now
    status[gone] = np.where(now[elsewhere] < 0, now[elsewhere], PageStatus.EBUSY.value)
    there[gone] = False
    part.tell(status, there)
    try:
        return lost
    finally:
        # The stack frame and its exception would keep each other, and the array, alive.
        del lost


def where_now(
    part: SliceRecord, pages: Indices, pid: int, flags: int
) -> tuple[NodeArray, MovePagesError | None]:
    """Query where pages are; return NOT_ATTEMPTED and the error if the query fails."""
    try:
        return move_pages(part.addresses[pages], pid=pid, flags=flags), None
    except MovePagesError as error:
        return np.full(len(pages), PageStatus.NOT_ATTEMPTED.value, np.int32), error
