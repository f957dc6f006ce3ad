"""Ask the kernel harmlessly what it allows this process."""

from __future__ import annotations

from dataclasses import dataclass

from .. import _core


@dataclass(frozen=True)
class Answers:
    """The errno of each system call, 0 for success; and whether page frame numbers are shown."""

    query: int
    move: int
    move_all: int
    get_mempolicy: int
    set_mempolicy: int
    mbind: int
    pagemap: int
    scan: int
    frames_shown: bool


def ask() -> Answers:
    """Make each system call once, on scratch memory, and return their answers.

    Nothing moves, no policy changes, and no page of the caller is queried.
    """
    return Answers(*_core.probe(), frames_shown=_core.shows_frame_numbers())
