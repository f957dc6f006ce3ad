"""``movepages watch``: show how the memory of a process on each node changes."""

from __future__ import annotations

import argparse
import itertools
import os
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

import movepages as mp

from ..system.refusals import Refusal
from ..units import format_bytes
from .arguments import parse_count
from .json_output import Commands, add_json_option, print_json
from .regions import add_process_option, name_of, per_node
from .terminal import Cell, bar, console, is_terminal, rich_table, room_beside, say

_BAR = 30
_SHORTEST, _LONGEST = 0.05, 1_000_000

EndsWithin: TypeAlias = Callable[[float], bool]


class Sample(NamedTuple):
    """Bytes on each node, and how fast they change."""

    at: float
    nbytes: npt.NDArray[np.int64]
    rate: npt.NDArray[np.float64]


def add_to(commands: Commands) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "watch",
        help="show how the memory of a process on each node changes",
        description="Show the memory of a process on each node and how fast it changes, until the "
        "process ends or Ctrl-C. With --json, print one object per line.",
    )
    add_process_option(parser)
    parser.add_argument(
        "--interval",
        type=_seconds,
        default=1.0,
        metavar="S",
        help="seconds between samples (default: %(default)s)",
    )
    parser.add_argument(
        "--count",
        type=parse_count,
        default=0,
        metavar="N",
        help="stop after N samples (0: no limit)",
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show samples as they are taken and return the exit status."""
    nodes = mp.process(options.pid).nodes
    with _end_of(options.pid) as ends_within, _view(options, nodes) as show:
        for sample in _samples(options, ends_within):
            show(sample)
    return 0


@contextmanager
def _end_of(pid: int) -> Iterator[EndsWithin]:
    """Yield a function that waits some seconds and returns whether the process has ended."""
    with Refusal() as refusal:
        process = os.pidfd_open(pid)
    if refusal.error:
        # For a thread, or before Linux 5.3, only the next sample shows the end.
        yield _sleep
        return
    try:
        # A process ID could belong to another process by the next sample; a pidfd cannot.
        yield lambda seconds: bool(select.select([process], [], [], seconds)[0])
    finally:
        os.close(process)


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _samples(options: argparse.Namespace, ends_within: EndsWithin) -> Iterator[Sample]:
    watched, last = mp.process(options.pid), None
    turns = range(options.count) if options.count else itertools.count()
    for turn in turns:
        if turn and ends_within(options.interval):
            return
        try:
            found = watched.regions()["bytes"].sum(axis=0)
        except mp.MovePagesLookupError:
            # A process that ends while it is watched is expected; one that was never there is not.
            if last is None:
                raise
            return
        now = time.monotonic()
        rate = np.zeros(len(found)) if last is None else (found - last.nbytes) / (now - last.at)
        last = Sample(now, found, rate)
        yield last


@contextmanager
def _view(options: argparse.Namespace, nodes: tuple[int, ...]) -> Iterator[Any]:
    if options.json:
        yield lambda sample: print_json("watch", _data(options.pid, sample, nodes), indent=None)
    elif is_terminal():
        from rich.live import Live

        title = f"process {options.pid} ({name_of(options.pid)})"
        with Live(console=console(), auto_refresh=False) as live:
            yield lambda sample: live.update(_table(title, sample, nodes), refresh=True)
    else:
        yield lambda sample: say(_line(sample, nodes))


def _table(title: str, sample: Sample, nodes: tuple[int, ...]) -> Any:
    titles = ["", "memory", "change"]
    rows = [
        [f"node {node}", format_bytes(int(n)), _change(rate)]
        for node, n, rate in zip(nodes, sample.nbytes, sample.rate, strict=True)
    ]
    rows.append(["all", format_bytes(int(sample.nbytes.sum())), _change(sample.rate.sum())])
    room, most = min(_BAR, room_beside(titles, rows)), max(int(sample.nbytes.max(initial=0)), 1)
    bars: list[Cell] = [
        bar([(node, int(n))], int(n), round(room * int(n) / most))
        for node, n in zip(nodes, sample.nbytes, strict=True)
    ]
    drawn: list[list[Cell]] = [[*row, each] for row, each in zip(rows, [*bars, ""], strict=True)]
    return rich_table([*titles, ""], drawn, left=(0, 3), title=title)


def _line(sample: Sample, nodes: tuple[int, ...]) -> str:
    parts = [
        f"node {node}: {format_bytes(int(n))} ({_change(rate)})"
        for node, n, rate in zip(nodes, sample.nbytes, sample.rate, strict=True)
        if n or rate
    ]
    return ", ".join(parts) or "no memory"


def _change(rate: float) -> str:
    sign = "+" if rate > 0 else "-"
    return f"{sign}{format_bytes(abs(round(rate)))}/s" if round(rate) else "-"


def _data(pid: int, sample: Sample, nodes: tuple[int, ...]) -> dict[str, Any]:
    rates = {str(node): float(r) for node, r in zip(nodes, sample.rate, strict=True)}
    return {
        "pid": pid,
        "seconds": sample.at,
        "bytes_per_node": per_node(sample.nbytes, nodes),
        "bytes_per_second": rates,
    }


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not _SHORTEST <= seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(
            f"expected seconds from {_SHORTEST} to {_LONGEST:,}, got {text!r}"
        )
    return seconds
