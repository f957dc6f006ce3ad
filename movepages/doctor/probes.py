"""Ask the kernel harmlessly what it allows this process."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np

from .. import _core
from ..query.syscall import move_pages
from ..results.outcome import MovePagesError


@dataclass(frozen=True)
class Answers:
    """The errno of each system call, 0 for success; whether frame numbers are shown; the engine."""

    query: int
    move: int
    move_all: int
    get_mempolicy: int
    set_mempolicy: int
    mbind: int
    pagemap: int
    scan: int
    frames_shown: bool
    engine: str = "move_pages"


def ask() -> Answers:
    """Make each system call once, on scratch memory, and return their answers.

    Nothing moves, no policy changes, and no page of the caller is queried.
    """
    # A sandbox may have closed since the engine was chosen. A query of no page finds out.
    with contextlib.suppress(MovePagesError):
        move_pages(np.empty(0, np.uintp))
    frames_shown = _core.shows_frame_numbers()
    return Answers(*_core.probe(), frames_shown=frames_shown, engine=_core.engine())
