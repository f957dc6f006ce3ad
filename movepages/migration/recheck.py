"""Query pages again whose status a move may have made untrue."""

from __future__ import annotations

import numpy as np

from ..layouts.patterns import NOWHERE, NodeArray
from ..query.syscall import move_pages
from ..results.failure import Failure
from ..results.outcome import MovePagesError
from ..results.status import PageStatus
from .slice_record import Indices, SliceRecord


def recheck_placed(part: SliceRecord, pages: Indices, pid: int, flags: int) -> Failure | None:
    """Query again the pages that an unknown huge page may have taken off or onto their target.

    Returns
    -------
    Failure or None
        The error of the query, which is not raised; `part` keeps what it knew.
    """
    busy = part.status[pages] == PageStatus.EBUSY.value
    open_ = pages[((part.status[pages] >= 0) | busy) & (part.target[pages] != NOWHERE)]
    if not len(open_):
        return None
    now, failure = where_now(part, open_, pid, flags)
    # A page that its folio overruled may be where it was wanted after all.
    elsewhere = (now != part.target[open_]) & (now != part.wanted[open_])
    status = np.where(elsewhere & (now >= 0), PageStatus.EBUSY.value, now)
    part.update(open_, status, part.there[open_] & ~elsewhere)
    return failure


def where_now(
    part: SliceRecord, pages: Indices, pid: int, flags: int
) -> tuple[NodeArray, Failure | None]:
    """Query where pages are; return NOT_ATTEMPTED and the error if the query fails."""
    try:
        return move_pages(part.addresses[pages], pid=pid, flags=flags), None
    except MovePagesError as error:
        unknown = np.full(len(pages), PageStatus.NOT_ATTEMPTED.value, np.int32)
        return unknown, Failure.of(error)
