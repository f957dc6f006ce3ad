"""``movepages watch``: show how the memory of a process on each node changes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import movepages as mp

from ..processes.watch_sample import change
from ..processes.watching import LONGEST_S, SHORTEST_S
from ..units import format_bytes
from .arguments import parse_count
from .json_output import Commands, add_json_option, print_json
from .regions import add_process_option
from .terminal import (
    Cell,
    bar,
    console,
    is_terminal,
    printable,
    rich_table,
    room_beside,
    say,
)
from .watch_metrics import write_end, write_sample

_BAR = 30

Show: TypeAlias = Callable[[mp.WatchSample], object]


def add_to(commands: Commands, about: str) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "watch",
        help=about,
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
    parser.add_argument(
        "--prometheus",
        metavar="FILE",
        help="replace FILE by each sample, for the textfile collector of Prometheus' "
        "node_exporter, which reads *.prom in its folder; text is then printed on a terminal only",
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show samples as they are taken and return the exit status."""
    path, last = options.prometheus, None
    samples = mp.watch(options.pid, options.interval, options.count or None)
    with samples, _view(options) as show:
        for last in samples:
            show(last)
            if path:
                write_sample(path, last)
    if path and samples.ended and last:
        write_end(path, last)
    return 0


@contextmanager
def _view(options: argparse.Namespace) -> Iterator[Show]:
    if options.json:
        yield lambda sample: print_json("watch", _data(sample), indent=None)
    elif is_terminal():
        from rich.live import Live

        with Live(console=console(), auto_refresh=False) as live:
            yield lambda sample: live.update(_table(sample), refresh=True)
    elif options.prometheus:
        yield lambda _sample: None
    else:
        yield lambda sample: say(str(sample))


def _table(sample: mp.WatchSample) -> Any:
    titles = ["", "memory", "change"]
    held, rates = sample.bytes_per_node, sample.bytes_per_second
    rows = [[f"node {node}", format_bytes(n), change(rates[node])] for node, n in held.items()]
    rows.append(["all", format_bytes(sample.nbytes), change(sum(rates.values()))])
    room, most = min(_BAR, room_beside(titles, rows)), max([*held.values(), 1])
    bars: list[Cell] = [bar([(node, n)], n, round(room * n / most)) for node, n in held.items()]
    drawn: list[list[Cell]] = [[*row, each] for row, each in zip(rows, [*bars, ""], strict=True)]
    title = f"process {sample.pid} ({printable(sample.name)})"
    return rich_table([*titles, ""], drawn, left=(0, 3), title=title)


def _data(sample: mp.WatchSample) -> dict[str, Any]:
    data = sample.as_dict()
    held = {node: n for node, n in data["bytes_per_node"].items() if n}
    return data | {"bytes_per_node": held}


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise argparse.ArgumentTypeError(
            f"expected seconds from {SHORTEST_S} to {LONGEST_S:,}, got {text!r}"
        )
    return seconds
