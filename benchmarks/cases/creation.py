"""Measure empty() with a layout against touching the pages on one node and moving them.

In the lab, an instruction that clears memory counts once for each of its steps. To compare it with
one that copies, have both take steps of 8 bytes: lab.py --icount --append clearcpuid=erms. Small
pages for all layouts: --append transparent_hugepage=never.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import movepages as mp
from cases.moves import two_nodes
from cases.queries import Sizes, in_bytes
from harness import memory
from harness.contenders import by_c, timed
from harness.contest import Bound, Line, Row, Skip, cost, take_turns

AT_ONCE = 0.6


def new_arrays(sizes: Sizes) -> list[Line]:
    return [
        *against_moving(sizes, "all on another node", elsewhere),
        *against_moving(sizes, "blocks on two nodes", mp.blocks),
        *against_moving(sizes, "interleaved on two nodes", mp.interleave),
        *against_moving(sizes, "single pages interleaved on two nodes", every_page),
    ]


def elsewhere(nodes: tuple[int, int]) -> mp.Layout:
    """Return a layout of the node that this thread does not touch new pages on."""
    return mp.blocks(nodes[1:])


def every_page(nodes: tuple[int, int]) -> mp.Layout:
    return mp.interleave(nodes, block=memory.PAGE)


def against_moving(
    sizes: Sizes, what: str, layout_of: Callable[[tuple[int, int]], mp.Layout]
) -> list[Line]:
    name = f"empty() of {in_bytes(sizes.move)}, {what} / touch, then move()"
    nodes = two_nodes(name)
    if isinstance(nodes, Skip):
        return [nodes]
    layout = layout_of(nodes)
    made: list[np.ndarray] = []

    def at_once() -> None:
        made.append(mp.empty(sizes.move, np.uint8, layout=layout))

    def touch_then_move() -> None:
        # The layout of single pages cuts through every huge page, so that there are none.
        small = layout_of is every_page
        array = memory.mapped(sizes.move) if small else mp.empty(sizes.move, np.uint8)
        mp.touch(array, threads=1)
        mp.move(array, layout).raise_for_status()
        made.append(array)

    def check() -> None:
        assert len(made) == 2
        for array in made:
            pages = memory.pages_of(array)
            now = np.empty(len(pages), np.int32)
            by_c(pages, None, now)
            assert np.array_equal(now, mp.targets(array, layout)), "not as wanted"
        made.clear()

    turns = {
        "touch, then move()": lambda: timed(touch_then_move),
        "movepages": lambda: timed(at_once),
    }
    rounds = take_turns(turns, sizes.rounds, check)
    return [cost(name, rounds, "movepages", "touch, then move()", AT_ONCE)]


def nearest_copy(sizes: Sizes) -> list[Line]:
    calls = 10_000
    with mp.replicate(np.ones(1000), mp.topology().allowed_nodes) as copies:
        assert copies.here.sum() == 1000
        took = min(timed(lambda: copies.here, calls) for _ in range(sizes.rounds))
    name = "replicate().here"
    return [Row(name, took * 1e6, "us", Bound("<=", 1.0), "the fastest round")]


CREATION = (new_arrays, nearest_copy)
