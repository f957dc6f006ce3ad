"""``movepages bench``: what looking and moving costs on this machine, answers compared."""

from __future__ import annotations

import argparse
import contextlib
import mmap
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import movepages as mp

from ..units import format_bytes
from .output import Commands, add_json_option, print_json
from .screen import say, show
from .sizes import parse_size

_ROUNDS = 5

Bytes = npt.NDArray[np.uint8]


def add_to(commands: Commands) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "bench",
        help="measure what looking and moving costs here",
        description="Measure where() against get_mempolicy(2) for each page, and move() between "
        "the first two nodes, on small and on huge pages. Answers are compared: what differs ends "
        "it.",
    )
    parser.add_argument("--size", type=_size, default="64MiB", help="(default: %(default)s)")
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure, print the figures, and return the exit status."""
    cases = [_measure(name, make(options.size)) for name, make in _ARRAYS.items()]
    if options.json:
        print_json("bench", {"nbytes": options.size, "rounds": _ROUNDS, "cases": cases})
        return 0
    show(
        ["", "where()", "page by page", "times faster", "move()"],
        [
            [
                case["pages"],
                f"{case['where_seconds'] * 1e3:.2f} ms",
                f"{case['asked_seconds'] * 1e3:.2f} ms",
                f"{case['asked_seconds'] / case['where_seconds']:.1f}",
                f"{format_bytes(int(options.size / case['move_seconds']))}/s"
                if case["move_seconds"]
                else "-",
            ]
            for case in cases
        ],
    )
    say()
    say(f"{format_bytes(options.size)} each, best of {_ROUNDS}; both tell the same of every page.")
    if len(mp.topology().allowed_nodes) < 2:
        say("To move, it takes two nodes with memory that this process may use.")
    return 0


def _measure(name: str, array: Bytes) -> dict[str, Any]:
    array[:: mmap.PAGESIZE] = 1
    pages = mp.where(array).addresses
    if not np.array_equal(mp.where(array).status, mp.mempolicy_nodes(pages)):
        raise OSError("where() and get_mempolicy(2) differ: does the kernel move these pages?")
    return {
        "pages": name,
        "where_seconds": _best(lambda: mp.where(array)),
        "asked_seconds": _best(lambda: mp.mempolicy_nodes(pages)),
        "move_seconds": _best_move(array),
    }


def _best(job: Callable[[], object]) -> float:
    found = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        job()
        found.append(time.perf_counter() - start)
    return min(found)


def _best_move(array: Bytes) -> float | None:
    nodes = mp.topology().allowed_nodes
    if len(nodes) < 2:
        return None
    found = []
    for node in (nodes[0], *(nodes[1], nodes[0]) * 2):
        result = mp.move(array, node)
        result.raise_for_status()
        if not (mp.where(array).status == node).all():
            raise OSError(f"pages that were moved to node {node} are not there")
        if result.moved == result.pages:
            found.append(result.seconds)
    return min(found, default=None)


def _small(nbytes: int) -> Bytes:
    memory = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    # A kernel without huge pages has none to avoid.
    with contextlib.suppress(OSError):
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, np.uint8)


def _huge(nbytes: int) -> Bytes:
    return mp.empty(nbytes, np.uint8, huge="thp")


_ARRAYS: dict[str, Callable[[int], Bytes]] = {"small": _small, "huge": _huge}


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
