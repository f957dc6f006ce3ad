"""``movepages bench``: time queries and moves on this machine, and compare what they report."""

from __future__ import annotations

import argparse
import errno
import mmap
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

import movepages as mp

from ..migration.calibrate import small_pages
from ..system.refusals import read_if_told
from ..units import format_bytes
from .arguments import add_size_option, refuse_too_large
from .bench_matrix import run_matrix
from .json_output import Commands, add_json_option, print_json
from .terminal import say, show

_ROUNDS = 5

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Case:
    """Timings for one kind of pages; those of moves are None if only one node is allowed."""

    pages: str
    huge_nbytes: int
    where_seconds: float
    query_seconds: float
    asked_seconds: float
    move_seconds: float | None
    move_pages_seconds: float | None


def add_to(commands: Commands, about: str) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "bench",
        help=about,
        description="Time where() against move_pages() and get_mempolicy(2) given every page, and "
        "move() against move_pages() given every page, back and forth between the first two nodes. "
        "Small and huge pages are timed separately. The command fails if the answers differ. With "
        "--matrix, measure instead how fast the CPUs of each node reach the memory of each node.",
    )
    what = parser.add_mutually_exclusive_group()
    add_size_option(what, "size of each array")
    what.add_argument(
        "--matrix",
        action="store_true",
        help="bandwidth and latency for each pair of nodes; about 10 s on two nodes, and kept in "
        "the user's cache folder for the next time",
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="with --matrix: measure again, even if figures are kept",
    )
    add_json_option(parser)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Measure, print the figures, and return the exit status."""
    if options.fresh and not options.matrix:
        options.parser.error("--fresh needs --matrix")
    if options.matrix:
        return run_matrix(fresh=options.fresh, as_json=options.json)
    refuse_too_large(options.size)
    cases = [_measure(name, options.size) for name in _ARRAYS]
    if options.json:
        listed = [asdict(case) for case in cases]
        print_json("bench", {"nbytes": options.size, "rounds": _ROUNDS, "cases": listed})
        return 0
    show(["", *(case.pages for case in cases)], _rows(cases, options.size))
    say()
    say(
        f"{format_bytes(options.size)} each, best of {_ROUNDS}; all give the same answer for every "
        "page."
    )
    huge = cases[-1].huge_nbytes
    if huge < options.size:
        say(f"Only {format_bytes(huge)} of the array for huge pages is in huge pages.")
    if cases[0].move_seconds is None:
        say("Moves are not timed: they need two nodes with memory that this process may use.")
    return 0


def _rows(cases: list[Case], nbytes: int) -> list[list[str]]:
    """Return a row per call, followed by its time as a multiple of the first call's time."""

    def look(seconds: float) -> str:
        return f"{seconds * 1e3:.3f} ms"

    def rate(seconds: float) -> str:
        return f"{format_bytes(int(nbytes / seconds))}/s"

    looks = {"where()": "where", "move_pages(), to look": "query", "get_mempolicy(2)": "asked"}
    moves = {"move()": "move", "move_pages(), to move": "move_pages"}
    rows = []
    for calls, shown in ((looks, look), (moves, rate)):
        first = None
        for title, name in calls.items():
            took = [getattr(case, f"{name}_seconds") for case in cases]
            if None in took:
                break
            rows.append([title, *map(shown, took)])
            if first is None:
                first = took
                continue
            times = (each / least for each, least in zip(took, first, strict=True))
            rows.append(["  times as long", *(f"{each:.2f}" for each in times)])
    return rows


def _measure(name: str, nbytes: int) -> Case:
    huge = _huge_nbytes()
    array = _ARRAYS[name](nbytes)
    array[:: mmap.PAGESIZE] = 1
    placement = mp.where(array)
    pages = placement.addresses
    for call, ask in (("move_pages", mp.move_pages), ("get_mempolicy", mp.mempolicy_nodes)):
        if not np.array_equal(placement.status, ask(pages)):
            raise mp.MovePagesError(
                errno.EIO,
                f"where() and {call}(2) differ: the kernel may be moving pages; try again",
            )
    moving, plainly = _best_moves(array, pages)
    return Case(
        name,
        # Counted after all moves, because a move may split huge pages.
        huge_nbytes=max(_huge_nbytes() - huge, 0),
        where_seconds=_best(lambda: mp.where(array)),
        query_seconds=_best(lambda: mp.move_pages(pages)),
        asked_seconds=_best(lambda: mp.mempolicy_nodes(pages)),
        move_seconds=moving,
        move_pages_seconds=plainly,
    )


def _best(job: Callable[[], object]) -> float:
    return min(_timed(job) for _ in range(_ROUNDS))


def _timed(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def _best_moves(array: Bytes, pages: npt.NDArray[np.uintp]) -> tuple[float | None, float | None]:
    """Move back and forth with move() and with move_pages(); return the best time of each."""
    nodes = mp.topology().allowed_nodes[:2]
    if len(nodes) < 2:
        return None, None
    mp.move(array, nodes[0]).raise_for_status()
    ways: list[Callable[[int], object]] = [
        lambda node: mp.move(array, node),
        lambda node: mp.move_pages(pages, node),
    ]
    took: list[list[float]] = [[], []]
    for _ in range(_ROUNDS):
        for way, found in zip(ways, took, strict=True):
            seconds = 0.0
            # Nodes may differ in speed, so time each way to both.
            for node in reversed(nodes):
                seconds += _timed(lambda way=way, node=node: way(node))  # type: ignore[misc]
                _require_on(array, node)
            found.append(seconds / len(nodes))
    return min(took[0]), min(took[1])


def _require_on(array: Bytes, node: int) -> None:
    if not (mp.where(array).status == node).all():
        raise mp.MovePagesError(
            errno.EIO,
            f"some pages are not on node {node} after a move to it; try again",
        )


def _huge_nbytes() -> int:
    """Return the bytes of this process in transparent huge pages, from smaps_rollup."""
    told = read_if_told(0, "smaps_rollup") or b""
    found = re.search(rb"^AnonHugePages: +(\d+) kB$", told, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _huge(nbytes: int) -> Bytes:
    return mp.empty(nbytes, np.uint8, huge="thp")


_ARRAYS: dict[str, Callable[[int], Bytes]] = {"small": small_pages, "huge": _huge}
