"""Measure what each engine costs, against that of move_pages(2)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import movepages as mp
from cases.moves import two_nodes
from cases.queries import Sizes, huge_array, in_bytes
from harness import memory
from harness.contenders import timed
from harness.contest import Line, Rounds, Skip, cost, take_turns
from movepages import _core

# Arrays here are on one node, so that /proc alone knows where each page is.
WAYS = {"policy": "policy calls", "proc": "/proc alone"}


def take_turns_by_engine(call: Callable[[], object], rounds: int, engines: list[str]) -> Rounds:
    """Let each engine do the same; the answers must be equal."""
    answers: list[object] = []

    def turn(name: str) -> Callable[[], float]:
        def measured() -> float:
            _core.use_engine(name)
            return timed(lambda: answers.append(call()))

        return measured

    def check() -> None:
        assert all(each == answers[0] for each in answers), "the engines' answers differ"
        answers.clear()

    try:
        return take_turns({name: turn(name) for name in engines}, rounds, check)
    finally:
        _core.use_engine(None)


def where(sizes: Sizes) -> list[Line]:
    name = f"where() of {in_bytes(sizes.size)} of {{}} pages: move_pages(2) / {{}}"
    arrays = {"small": memory.small_pages(sizes.size), "huge": huge_array(sizes.size, name)}
    lines: list[Line] = []
    for kind, array in arrays.items():
        if isinstance(array, Skip):
            lines.append(array)
            continue
        for shortcuts in (False, True):
            call = lambda a=array, s=shortcuts: mp.where(a, shortcuts=s).bytes_per_node  # noqa: E731
            found = take_turns_by_engine(call, sizes.rounds, ["move_pages", *WAYS])
            how = ", with shortcuts" if shortcuts else ""
            lines += against_move_pages(name.format(kind, "{}") + how, found)
    return lines


def against_move_pages(name: str, found: Rounds) -> list[Line]:
    return [cost(name.format(way), found, engine, "move_pages") for engine, way in WAYS.items()]


def one_page(sizes: Sizes) -> list[Line]:
    array = memory.small_pages(memory.PAGE)
    call = lambda: [mp.where(array).bytes_per_node for _ in range(100)]  # noqa: E731
    found = take_turns_by_engine(call, sizes.rounds, ["move_pages", *WAYS])
    return against_move_pages("where() of one page: move_pages(2) / {}", found)


def moves(sizes: Sizes) -> list[Line]:
    name = f"move() of {in_bytes(sizes.move)} {{}}: move_pages(2) / policy calls"
    nodes = two_nodes(name)
    if isinstance(nodes, Skip):
        return [nodes]
    arrays = {"small": memory.small_pages(sizes.move), "huge": huge_array(sizes.move, name)}
    lines: list[Line] = []
    for kind, array in arrays.items():
        if isinstance(array, Skip):
            lines.append(array)
            continue
        layouts = {"of one node": list(nodes), "in blocks of 2 MiB": []}
        one, other = nodes
        block = 2 << 20
        layouts["in blocks of 2 MiB"] = [
            mp.interleave([one, other], block=block),
            mp.interleave([other, one], block=block),
        ]
        if kind == "small":
            layouts["page by page"] = [
                mp.interleave([one, other], block=memory.PAGE),
                mp.interleave([other, one], block=memory.PAGE),
            ]
        lines += [
            cost(
                name.format(f"of {kind} pages, {how}"),
                journey(array, targets, sizes.rounds),
                "policy",
                "move_pages",
            )
            for how, targets in layouts.items()
        ]
    return lines


def journey(array: np.ndarray, targets: list[object], rounds: int) -> Rounds:
    """Move to both targets, back and forth; afterwards every page is on its target."""

    def call() -> object:
        results = [mp.move(array, target) for target in targets]
        assert all(each.ok for each in results)
        return results[-1].failed, mp.where(array).bytes_per_node

    return take_turns_by_engine(call, rounds, ["move_pages", "policy"])


ENGINES = (where, one_page, moves)
