"""Show how far a move is, as a bar on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..units import format_bytes
from .process_move import Progress
from .terminal import console, is_terminal


@contextmanager
def shown_progress(nbytes: int, *, quiet: bool) -> Iterator[Progress]:
    """Yield a function that takes the bytes done so far, and shows them on a terminal."""
    if quiet or not is_terminal():
        yield lambda _done: None
        return
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        ProgressColumn,
        Task,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        # Rich uses units of 1000; all other output here uses units of 1024.
        def render(self, task: Task) -> Text:
            return Text(f"{format_bytes(int(task.speed or 0))}/s")

    columns = (
        BarColumn(None),
        DownloadColumn(binary_units=True),
        Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(), transient=True, expand=True) as bars:
        task = bars.add_task("moving", total=nbytes)
        yield lambda done: bars.update(task, completed=done)
