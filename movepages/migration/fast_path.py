"""Fast path of move() for a small array that is already on its target: one query."""

from __future__ import annotations

import time

from .. import _core
from ..query.syscall import MPOL_MF_MOVE
from ..results.counting import result_in_place
from ..results.outcome import MoveResult


def placed_already(a: object, target: object, flags: int) -> MoveResult | None:
    """Return the outcome of a move that has nothing to do; None if that is not certain.

    The fast path takes contiguous numpy arrays of a few pages and a single target node. It leaves
    everything else, errors included, to the full move.
    """
    if type(target) is not int or flags != MPOL_MF_MOVE:
        return None
    start = time.perf_counter()
    placed = _core.all_on_node(a, target)
    if placed is None:
        return None
    first, pages = placed
    run = (first, pages, a.nbytes, target)  # type: ignore[attr-defined]
    return result_in_place(run, time.perf_counter() - start)
