"""Looking at and moving the pages of a footprint, a slice at a time."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ._core import FRAME_BYTES
from .absence import absences
from .control import Control
from .errors import MovePagesError
from .footprint import Footprint
from .hugepages import Folios, HugePages, whole_frames
from .migrate import migrate_slice
from .placement import Placement
from .result import MoveResult
from .syscall import MPOL_MF_MOVE, attach, move_pages, refuse_unusable_nodes
from .tally import Tally
from .targets import NodeArray, Target

# Bounds the scratch memory, about 3 MiB, and is one chunk of the driver's.
SLICE_PAGES = 1 << 16


def survey(footprint: Footprint) -> Placement:
    """Ask where every page of `footprint` is."""
    tally = Tally(footprint)
    try:
        _refuse_process(footprint, MPOL_MF_MOVE)
        for addresses, nbytes in footprint.chunks(SLICE_PAGES):
            part = tally.begin(addresses, nbytes)
            try:
                move_pages(addresses, None, part.status, pid=footprint.pid)
            finally:
                part.tell(part.status, part.status >= 0)
            tally.settle()
        result = tally.result()
        assert result.runs is not None
        why = absences(result.runs, footprint.page_size, footprint.pid)
    except BaseException as error:
        attach(error, tally.result())
        raise
    return Placement(
        address=footprint.address,
        nbytes=footprint.nbytes,
        pages=footprint.pages,
        page_size=footprint.page_size,
        shared_edges=footprint.shared_edges,
        pid=footprint.pid,
        runs=result.runs,
        absences=why,
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
    huge = HugePages(footprint.pid)
    failure: MovePagesError | None = None
    try:
        _refuse_process(footprint, flags)
        if not may_overrule:
            _refuse_conflicts(footprint, target, huge)
        for addresses, nbytes, wanted in _slices(footprint, target):
            part = tally.begin(addresses, nbytes)
            try:
                control()
                migrate_slice(part, wanted, huge, footprint.pid, flags, control)
            except MovePagesError as error:
                failure = error
            tally.settle()
            control.done += len(addresses)
            if failure and not _goes_on(failure, target):
                break
        result = tally.result()
        assert result.runs is not None
        why = absences(result.runs, footprint.page_size, footprint.pid)
        result = replace(result, absences=why)
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
            # A frame and its exception would keep each other, and the caller's array, alive.
            failure = None
    return result


def _slices(
    footprint: Footprint, target: Target
) -> Iterator[tuple[npt.NDArray[np.uintp], npt.NDArray[np.int64], NodeArray]]:
    start = 0
    for addresses, nbytes in whole_frames(footprint.chunks(SLICE_PAGES)):
        yield addresses, nbytes, target.part(start, start + len(addresses))
        start += len(addresses)


def _refuse_conflicts(footprint: Footprint, target: Target, huge: HugePages) -> None:
    """Look at all huge pages before anything moves."""
    if len(target.distinct) < 2:
        return
    overruled = sum(
        Folios.find(addresses, wanted, huge).settle(wanted)[1]
        for addresses, _, wanted in _slices(footprint, target)
    )
    if overruled:
        raise ValueError(
            f"target: {overruled:,} pages are pieces of huge pages of which other pieces are to go "
            'elsewhere, and a huge page is on one node; pass on_conflict="majority", or a target '
            f"that changes at multiples of {FRAME_BYTES:,} bytes only"
        )


def _refuse_process(footprint: Footprint, flags: int) -> None:
    """Let the kernel check process and permission, also where there is no page to ask for."""
    if footprint.pages == 0:
        move_pages(np.empty(0, np.uintp), pid=footprint.pid, flags=flags)


def _goes_on(failure: MovePagesError, target: Target) -> bool:
    """One full node is no reason to leave the pages for other nodes where they are."""
    return failure.errno == errno.ENOMEM and len(target.distinct) > 1
