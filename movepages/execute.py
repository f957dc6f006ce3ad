"""Looking at and moving the pages of a footprint, a slice at a time."""

from __future__ import annotations

import errno

import numpy as np
import numpy.typing as npt

from .errors import MovePagesError, PageStatus
from .footprint import Footprint
from .placement import Placement
from .result import MoveResult
from .runs import find_runs, join_runs
from .syscall import attach, move_pages, refuse_unusable_nodes
from .tally import Slice, Tally
from .targets import NOWHERE, Target

# Bounds the scratch memory, about 3 MiB, and is one chunk of the driver's.
SLICE_PAGES = 1 << 16


def survey(footprint: Footprint) -> Placement:
    """Ask where every page of `footprint` is."""
    parts = [
        find_runs(addresses, nbytes, move_pages(addresses, pid=footprint.pid), footprint.page_size)
        for addresses, nbytes in footprint.chunks(SLICE_PAGES)
    ]
    return Placement(
        address=footprint.address,
        nbytes=footprint.nbytes,
        pages=footprint.pages,
        page_size=footprint.page_size,
        shared_edges=footprint.shared_edges,
        pid=footprint.pid,
        runs=join_runs(parts, footprint.page_size),
    )


def migrate(footprint: Footprint, target: Target, flags: int) -> MoveResult:
    """Move every page of `footprint` to its target.

    Raises
    ------
    MovePagesError
        A call failed as a whole; ``.result`` tells what was done by then.
    """
    tally = Tally(footprint)
    refuse_unusable_nodes(target.distinct, footprint.pid, tally.result)
    failure: MovePagesError | None = None
    start = 0
    try:
        for addresses, nbytes in footprint.chunks(SLICE_PAGES):
            part = tally.begin(addresses, nbytes)
            wanted = target.part(start, start + len(addresses))
            start += len(addresses)
            try:
                _migrate_slice(part, wanted, footprint.pid, flags)
            except MovePagesError as error:
                failure = error
            tally.settle()
            if failure and not _goes_on(failure, target):
                break
    except BaseException as interruption:
        attach(interruption, tally.result())
        raise
    result = tally.result()
    if failure:
        failure.result, failure.status = result, None
        raise failure
    return result


def _goes_on(failure: MovePagesError, target: Target) -> bool:
    """One full node is no reason to leave the pages for other nodes where they are."""
    return failure.errno == errno.ENOMEM and len(target.distinct) > 1


def _migrate_slice(part: Slice, wanted: npt.NDArray[np.int32], pid: int, flags: int) -> None:
    """Move one slice; what `part` says is true whatever is raised."""
    before = move_pages(part.addresses, pid=pid, flags=flags)
    # Absent then and absent now: restored, with nothing to do.
    part.there[:] = (before == wanted) | ((wanted == NOWHERE) & (before < 0))
    asked = (before >= 0) & ~part.there
    part.status[~asked] = before[~asked]
    todo = np.flatnonzero(asked & (wanted != NOWHERE))
    if len(todo) == 0:
        return
    outcome = np.full(len(todo), PageStatus.NOT_ATTEMPTED, np.int32)
    try:
        move_pages(part.addresses[todo], wanted[todo], outcome, pid=pid, flags=flags)
    finally:
        part.status[todo] = outcome
