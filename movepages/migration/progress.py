"""The argument `progress`: a function that is called meanwhile, or True for a bar."""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Self, TypeAlias

from ..pages.buffers import Region
from ..system.refusals import Refusal

if TYPE_CHECKING:
    from ..display.progress_bar import Bar

Progress: TypeAlias = Callable[[int, int], object]
ProgressOption: TypeAlias = Progress | bool | None

# Seconds between two drawings.
_REDRAW_S = 0.1


class Drawn:
    """A progress callback that draws a bar, within a ``with`` block.

    Parameters
    ----------
    scale : int
        Bytes in each unit of work.
    """

    def __init__(self, scale: int) -> None:
        self._scale = scale
        self._bar: Bar | None = None
        self._next = 0.0

    def __enter__(self) -> Self:
        from ..display.progress_bar import new_bar

        with Refusal():
            self._bar = new_bar()
        return self

    def __exit__(self, *_raised: object) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            with Refusal():
                bar.close()

    def __call__(self, done: int, total: int) -> None:
        """Draw that so much of all work is done."""
        now, all_done = time.monotonic(), done >= total
        if self._bar is None or (now < self._next and not all_done):
            return
        self._next = now + _REDRAW_S
        # Work goes on if the terminal goes away.
        with Refusal() as refusal:
            self._bar.update(done * self._scale, total * self._scale)
        # Closing takes time, in which an interruption would lose the result of work that is done.
        if refusal.error or all_done:
            self.__exit__()


def as_progress(given: ProgressOption, scale: int) -> Progress | None:
    """Return the callback that an argument stands for.

    Parameters
    ----------
    given : callable, bool or None
        True stands for a bar, which `drawing` shows.
    scale : int
        Bytes in each unit of work.

    Raises
    ------
    TypeError
        It is something else.
    """
    if given is True:
        return Drawn(scale)
    if given is None or given is False:
        return None
    if not callable(given):
        raise TypeError(
            "progress: expected True, or a function that takes what is done and what there is to "
            f"do, got {given!r}"
        )
    return given


def drawing(progress: Progress | None) -> AbstractContextManager[object]:
    """Return a context manager within which a bar is drawn, if it is one."""
    return progress if isinstance(progress, Drawn) else nullcontext()


def parts_of(
    progress: Progress | None, parts: Iterable[Iterable[Region]]
) -> Iterator[Progress | None]:
    """Yield the callback for each part of some regions: they have one bar in common.

    A function of the user is called for each part as for a move of its own.
    """
    pages = [sum(each.nbytes // mmap.PAGESIZE for each in part) for part in parts]
    total, before = sum(pages), 0
    for count in pages:
        yield _after(before, total, progress) if isinstance(progress, Drawn) else progress
        before += count


def _after(before: int, total: int, progress: Progress) -> Progress:
    return lambda done, _of: progress(before + done, total)
