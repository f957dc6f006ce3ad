"""``movepages bench``: what looking and moving costs on this machine, answers compared."""

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

from ..system.refusals import keep_small, read_if_told
from ..units import format_bytes
from .arguments import as_size, refuse_too_large
from .json_output import Commands, add_json_option, print_json
from .terminal import say, show

_ROUNDS = 5

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Case:
    """What it took with one kind of pages; moves are None where there is one node."""

    pages: str
    huge_nbytes: int
    where_seconds: float
    query_seconds: float
    asked_seconds: float
    move_seconds: float | None
    move_pages_seconds: float | None


def add_to(commands: Commands) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "bench",
        help="measure what looking and moving costs here",
        description="Measure where() against move_pages() and get_mempolicy(2) with each page, and "
        "move() against move_pages() with each page, to and fro between the first two nodes, on "
        "small and on huge pages. Answers are compared: what differs ends it.",
    )
    parser.add_argument("--size", type=as_size, default="64MiB", help="(default: %(default)s)")
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure, print the figures, and return the exit status."""
    refuse_too_large(options.size)
    cases = [_measure(name, options.size) for name in _ARRAYS]
    if options.json:
        listed = [asdict(case) for case in cases]
        print_json("bench", {"nbytes": options.size, "rounds": _ROUNDS, "cases": listed})
        return 0
    show(["", *(case.pages for case in cases)], _rows(cases, options.size))
    say()
    say(f"{format_bytes(options.size)} each, best of {_ROUNDS}; all tell the same of every page.")
    huge = cases[-1].huge_nbytes
    if huge < options.size:
        say(f"Of the memory that asked for huge pages {format_bytes(huge)} has them.")
    if cases[0].move_seconds is None:
        say("To move, it takes two nodes with memory that this process may use.")
    return 0


def _rows(cases: list[Case], nbytes: int) -> list[list[str]]:
    """Return a row for each call, and below it how many times as long it takes as the first."""

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
                errno.EIO, f"where() and {call}(2) differ: does the kernel move these pages?"
            )
    moving, plainly = _best_moves(array, pages)
    return Case(
        name,
        # After all moves, which may have split some.
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
    """Move to and fro by move() and by one call with each page; the best time of either."""
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
            # Nodes differ, so each way goes to both.
            for node in reversed(nodes):
                seconds += _timed(lambda way=way, node=node: way(node))  # type: ignore[misc]
                _require_on(array, node)
            found.append(seconds / len(nodes))
    return min(took[0]), min(took[1])


def _require_on(array: Bytes, node: int) -> None:
    if not (mp.where(array).status == node).all():
        raise mp.MovePagesError(
            errno.EIO, f"not all pages that were moved to node {node} are there"
        )


def _huge_nbytes() -> int:
    """Return how much of this process is in transparent huge pages, as the kernel tells."""
    told = read_if_told(0, "smaps_rollup") or b""
    found = re.search(rb"^AnonHugePages: +(\d+) kB$", told, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _small(nbytes: int) -> Bytes:
    memory = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    keep_small(memory)
    return np.frombuffer(memory, np.uint8)


def _huge(nbytes: int) -> Bytes:
    return mp.empty(nbytes, np.uint8, huge="thp")


_ARRAYS: dict[str, Callable[[int], Bytes]] = {"small": _small, "huge": _huge}
