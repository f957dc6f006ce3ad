"""Looking at and moving the pages of a footprint, a slice at a time."""

from __future__ import annotations

import errno

import numpy as np
import numpy.typing as npt

from .errors import MovePagesError, PageStatus
from .footprint import Footprint
from .placement import Placement
from .result import MoveResult
from .runs import RunBuilder, Statuses
from .syscall import move_pages, refuse_unusable_nodes
from .tally import Tally
from .targets import NOWHERE, Target

# Bounds the scratch memory, about 3 MiB, and is one chunk of the driver's.
SLICE_PAGES = 1 << 16


def survey(footprint: Footprint) -> Placement:
    """Ask where every page of `footprint` is."""
    runs = RunBuilder(footprint.page_size)
    for addresses, nbytes in footprint.chunks(SLICE_PAGES):
        runs.add(addresses, nbytes, move_pages(addresses, pid=footprint.pid))
    return Placement(
        address=footprint.address,
        nbytes=footprint.nbytes,
        pages=footprint.pages,
        page_size=footprint.page_size,
        shared_edges=footprint.shared_edges,
        pid=footprint.pid,
        runs=runs.finish(),
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
    for addresses, nbytes in footprint.chunks(SLICE_PAGES):
        wanted = target.part(tally.pages, tally.pages + len(addresses))
        status = np.full(len(addresses), PageStatus.NOT_ATTEMPTED, np.int32)
        there = np.zeros(len(addresses), bool)
        try:
            _migrate_slice(addresses, wanted, status, there, footprint.pid, flags)
        except MovePagesError as error:
            failure = error
        except BaseException as interruption:
            tally.add(addresses, nbytes, status, there)
            interruption.result = tally.result()  # type: ignore[attr-defined]
            raise
        tally.add(addresses, nbytes, status, there)
        if failure and not _goes_on(failure, target):
            break
    result = tally.result()
    if failure:
        failure.result, failure.status = result, None
        raise failure
    return result


def _goes_on(failure: MovePagesError, target: Target) -> bool:
    """One full node is no reason to leave the pages for other nodes where they are."""
    return failure.errno == errno.ENOMEM and len(target.distinct) > 1


def _migrate_slice(
    addresses: npt.NDArray[np.uintp],
    wanted: npt.NDArray[np.int32],
    status: Statuses,
    there: npt.NDArray[np.bool_],
    pid: int,
    flags: int,
) -> None:
    """Move one slice; `status` and `there` (already on its target) are true whatever is raised."""
    before = move_pages(addresses, pid=pid, flags=flags)
    np.equal(before, wanted, out=there)
    # Absent then and absent now: restored, with nothing to do.
    there |= (wanted == NOWHERE) & (before < 0)
    status[:] = np.where((before < 0) | there, before, PageStatus.NOT_ATTEMPTED)
    todo = np.flatnonzero((before >= 0) & ~there & (wanted != NOWHERE))
    if len(todo) == 0:
        return
    outcome = np.full(len(todo), PageStatus.NOT_ATTEMPTED, np.int32)
    try:
        move_pages(addresses[todo], wanted[todo], outcome, pid=pid, flags=flags)
    finally:
        status[todo] = outcome
