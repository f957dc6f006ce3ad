"""Show how far a move is, as a bar on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..display.progress_bar import rich_progress
from .process_move import Progress
from .terminal import console, is_terminal


@contextmanager
def shown_progress(nbytes: int, *, quiet: bool) -> Iterator[Progress]:
    """Yield a function that takes the bytes done so far, and shows them on a terminal."""
    if quiet or not is_terminal():
        yield lambda _done: None
        return
    with rich_progress(console(), transient=True) as bars:
        task = bars.add_task("moving", total=nbytes)
        yield lambda done: bars.update(task, completed=done)
