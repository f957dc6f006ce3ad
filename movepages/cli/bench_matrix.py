"""``movepages bench --matrix``: how fast the CPUs of each node reach the memory of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import movepages as mp

from ..results.kept_bandwidth import kept_file
from ..system.refusals import is_there
from .json_output import print_json
from .terminal import console, is_terminal, say


def run_matrix(*, fresh: bool, as_json: bool) -> int:
    """Measure or take what is kept, print it, and return the exit status."""
    with _shown_progress(quiet=as_json) as tell:
        found = mp.measure_bandwidth(fresh=fresh, progress=tell)
    if as_json:
        print_json("bench", {"matrix": found.as_dict()})
        return 0
    print(found)
    file = kept_file(found.machine)
    if file is not None and is_there(file):
        say()
        say(f"Kept in {file}; --fresh measures again.")
    return 0


@contextmanager
def _shown_progress(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that takes figures done and figures in all, and shows them on a terminal."""
    if quiet or not is_terminal():
        yield lambda _done, _figures: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = BarColumn(None), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console(), transient=True, expand=True) as bars:
        task = bars.add_task("measuring", total=None)
        yield lambda done, figures: bars.update(task, completed=done, total=figures)
