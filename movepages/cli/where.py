"""``movepages where``: on which nodes the memory of a process is, by what it is for."""

from __future__ import annotations

import argparse
import os
from typing import Any

import numpy as np

import movepages as mp

from ..units import format_bytes
from .output import Commands, add_json_option, print_json
from .regions import KINDS, add_region_option, as_pid, kind_of, name_of, per_node, regions_of
from .screen import bar, say, show

_BAR = 24


def add_to(commands: Commands) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "where",
        help="tell on which nodes the memory of a process is",
        description="Tell on which nodes the memory of a process is, by what it is for, as "
        "/proc/PID/numa_maps has it. Nothing is touched or moved.",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("pid", nargs="?", type=as_pid, metavar="PID", help="the number of a process")
    which.add_argument("--self", action="store_true", help="this process itself")
    add_region_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the memory of a process and return the exit status."""
    pid = os.getpid() if options.self else options.pid
    regions, nodes = regions_of(pid, options.region), mp.process(pid).nodes
    kinds = np.array([kind_of(row) for row in regions], dtype="U16")
    sums = {kind: regions["bytes"][kinds == kind].sum(axis=0) for kind in KINDS}
    total = regions["bytes"].sum(axis=0)
    if options.json:
        print_json("where", _data(pid, nodes, sums, total))
        return 0
    say(f"process {pid} ({name_of(pid)}): {format_bytes(int(total.sum()))} in memory")
    say()
    shown = [i for i, node in enumerate(nodes) if len(nodes) <= 4 or total[i]]
    rows = [(kind, counts) for kind, counts in sums.items() if counts.any()]
    show(
        ["", *(f"node {nodes[i]}" for i in shown), "all", "shares"],
        [
            [
                kind,
                *(format_bytes(int(counts[i])) if counts[i] else "-" for i in shown),
                format_bytes(int(counts.sum())),
                bar(list(zip(nodes, counts.tolist(), strict=True)), int(counts.sum()), _BAR),
            ]
            for kind, counts in [*rows, ("total", total)]
        ],
        left=(0, len(shown) + 2),
    )
    return 0


def _data(pid: int, nodes: tuple[int, ...], sums: dict[str, Any], total: Any) -> dict[str, Any]:
    return {
        "pid": pid,
        "nodes": list(nodes),
        "kinds": {kind: per_node(counts, nodes) for kind, counts in sums.items()},
        "bytes_per_node": per_node(total, nodes),
        "nbytes": int(total.sum()),
    }
