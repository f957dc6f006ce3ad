"""``movepages where``: show the nodes that hold the memory of a process, or of files."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

import movepages as mp

from ..units import format_bytes
from . import where_files
from .json_output import Commands, add_json_option, print_json
from .regions import KINDS, add_region_option, kind_of, name_of, per_node, regions_of
from .subjects import HELP, add_file_options, as_subject, refuse_unless_alone
from .terminal import Cell, bar, room_beside, say, show

_BAR, _LEAST_BAR = 24, 8


def add_to(commands: Commands, about: str) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "where",
        help=about,
        description="Show which nodes hold the memory of a process, by kind of memory (heap, "
        "stack, ...), or the pages of files in the page cache. The totals of a process come from "
        "/proc/PID/numa_maps. Nothing is read from a disk or moved.",
    )
    parser.add_argument("subjects", nargs="*", type=as_subject, metavar="PID|FILE", help=HELP)
    parser.add_argument(
        "--self", action="store_true", help="show the memory of this command itself"
    )
    add_region_option(parser)
    add_file_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Print the memory of a process or of files, and return the exit status."""
    if options.self == bool(options.subjects):
        options.parser.error("expected a PID, files, or --self")
    if options.self:
        options.subjects = [os.getpid()]
    refuse_unless_alone(options, for_processes=["region"])
    pid = options.subjects[0]
    if isinstance(pid, str):
        return where_files.run(options)
    regions, nodes = regions_of(pid, options.region), mp.process(pid).nodes
    kinds = np.array([kind_of(row) for row in regions], dtype="U16")
    sums = {kind: regions["bytes"][kinds == kind].sum(axis=0) for kind in KINDS}
    total = regions["bytes"].sum(axis=0)
    if options.json:
        print_json("where", _data(pid, nodes, sums, total))
        return 0
    say(f"process {pid} ({name_of(pid)}): {format_bytes(int(total.sum()))} in memory")
    say()
    # With more than four nodes, show only those that hold memory.
    shown = [i for i, node in enumerate(nodes) if len(nodes) <= 4 or total[i]]
    kinds_shown = {kind: counts for kind, counts in sums.items() if counts.any()}
    _draw(
        [nodes[i] for i in shown],
        {k: c[shown] for k, c in (kinds_shown | {"total": total}).items()},
    )
    return 0


def _draw(nodes: list[int], sums: dict[str, Any]) -> None:
    """Print a column per node, or a row per node if the columns do not fit."""
    titles = ["", *(f"node {node}" for node in nodes), "all"]
    rows = [[kind, *map(_amount, counts), _amount(counts.sum())] for kind, counts in sums.items()]
    room = room_beside(titles, rows)
    if room >= _LEAST_BAR:
        bars = [
            bar(list(zip(nodes, counts.tolist(), strict=True)), int(counts.sum()), min(_BAR, room))
            for counts in sums.values()
        ]
        drawn: list[list[Cell]] = [[*row, each] for row, each in zip(rows, bars, strict=True)]
        show([*titles, "shares"], drawn, left=(0, len(titles)))
        return
    titles = ["", "node", "memory"]
    parts = [
        (kind if first else "", node, int(counts[i]), int(counts.sum()))
        for kind, counts in sums.items()
        for first, i, node in _held(nodes, counts)
    ]
    rows = [[kind, str(node), _amount(nbytes)] for kind, node, nbytes, _ in parts]
    room = min(_BAR, room_beside(titles, rows))
    drawn = [
        [*row, bar([(node, nbytes)], nbytes, max(round(room * nbytes / of), 1))]
        for row, (_, node, nbytes, of) in zip(rows, parts, strict=True)
    ]
    show([*titles, "share"], drawn, left=(0, 3))


def _held(nodes: list[int], counts: Any) -> Iterator[tuple[bool, int, int]]:
    """Yield for each node that holds memory whether it is the first, its index and its ID."""
    for turn, i in enumerate(np.flatnonzero(counts).tolist()):
        yield turn == 0, i, nodes[i]


def _amount(nbytes: Any) -> str:
    return format_bytes(int(nbytes)) if nbytes else "-"


def _data(pid: int, nodes: tuple[int, ...], sums: dict[str, Any], total: Any) -> dict[str, Any]:
    return {
        "pid": pid,
        "nodes": list(nodes),
        "kinds": {kind: per_node(counts, nodes) for kind, counts in sums.items()},
        "bytes_per_node": per_node(total, nodes),
        "nbytes": int(total.sum()),
    }
