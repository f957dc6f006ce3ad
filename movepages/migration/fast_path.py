"""A small array that is in place already: one question, and nothing prepared for more."""

from __future__ import annotations

import time

from .. import _core
from ..query.syscall import MPOL_MF_MOVE
from ..results.counting import result_in_place
from ..results.outcome import MoveResult


def placed_already(a: object, target: object, flags: int) -> MoveResult | None:
    """Return the outcome of a move that has nothing to do; None where it takes more to tell.

    Only a numpy array of a few pages in one piece is looked at, and only for one node. Whatever
    seems wrong is for others to find out, and to explain.
    """
    if type(target) is not int or flags != MPOL_MF_MOVE:
        return None
    start = time.perf_counter()
    placed = _core.glance(a, target)
    if placed is None:
        return None
    first, pages = placed
    run = (first, pages, a.nbytes, target)  # type: ignore[attr-defined]
    return result_in_place(run, time.perf_counter() - start)
