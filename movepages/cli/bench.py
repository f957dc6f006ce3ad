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
from .sizes import parse_size, refuse_too_large

_ROUNDS = 5

Bytes = npt.NDArray[np.uint8]


def add_to(commands: Commands) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "bench",
        help="measure what looking and moving costs here",
        description="Measure where() against get_mempolicy(2) for each page, and move() against "
        "move_pages() with each page, between the first two nodes, on small and on huge pages. "
        "Answers are compared: what differs ends it.",
    )
    parser.add_argument("--size", type=_size, default="64MiB", help="(default: %(default)s)")
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure, print the figures, and return the exit status."""
    refuse_too_large(options.size)
    cases = [_measure(name, make(options.size)) for name, make in _ARRAYS.items()]
    if options.json:
        print_json("bench", {"nbytes": options.size, "rounds": _ROUNDS, "cases": cases})
        return 0
    show(
        ["", "where()", "page by page", "times faster", "move()", "move_pages()"],
        [
            [
                case["pages"],
                f"{case['where_seconds'] * 1e3:.2f} ms",
                f"{case['asked_seconds'] * 1e3:.2f} ms",
                f"{case['asked_seconds'] / case['where_seconds']:.1f}",
                _rate(options.size, case["move_seconds"]),
                _rate(options.size, case["move_pages_seconds"]),
            ]
            for case in cases
        ],
    )
    say()
    say(f"{format_bytes(options.size)} each, best of {_ROUNDS}; both tell the same of every page.")
    if len(mp.topology().allowed_nodes) < 2:
        say("To move, it takes two nodes with memory that this process may use.")
    return 0


def _rate(nbytes: int, seconds: float | None) -> str:
    return f"{format_bytes(int(nbytes / seconds))}/s" if seconds else "-"


def _measure(name: str, array: Bytes) -> dict[str, Any]:
    array[:: mmap.PAGESIZE] = 1
    pages = mp.where(array).addresses
    if not np.array_equal(mp.where(array).status, mp.mempolicy_nodes(pages)):
        raise OSError("where() and get_mempolicy(2) differ: does the kernel move these pages?")
    moving, plainly = _best_moves(array, pages)
    return {
        "pages": name,
        "where_seconds": _best(lambda: mp.where(array)),
        "asked_seconds": _best(lambda: mp.mempolicy_nodes(pages)),
        "move_seconds": moving,
        "move_pages_seconds": plainly,
    }


def _best(job: Callable[[], object]) -> float:
    found = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        job()
        found.append(time.perf_counter() - start)
    return min(found)


def _best_moves(array: Bytes, pages: npt.NDArray[np.uintp]) -> tuple[float | None, float | None]:
    """Move there by move() and back by one call with each page; the best time of either."""
    nodes = mp.topology().allowed_nodes
    if len(nodes) < 2:
        return None, None
    here, there = nodes[:2]
    mp.move(array, here).raise_for_status()
    moving, plainly = [], []
    for _ in range(_ROUNDS):
        result = mp.move(array, there)
        _require_on(array, there)
        if result.moved == result.pages:
            moving.append(result.seconds)
        start = time.perf_counter()
        mp.move_pages(pages, here)
        plainly.append(time.perf_counter() - start)
        _require_on(array, here)
    return min(moving, default=None), min(plainly)


def _require_on(array: Bytes, node: int) -> None:
    if not (mp.where(array).status == node).all():
        raise OSError(f"pages that were moved to node {node} are not there")


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
