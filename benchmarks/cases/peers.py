"""Compare movepages with each other program and library that does the same job."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

import movepages as mp
from cases import hwloc
from cases.bandwidth import against_others
from cases.moves import two_nodes
from cases.numactl import migratepages, migspeed
from cases.queries import Sizes, in_bytes, other_bindings
from harness import memory
from harness.contenders import by_c, by_libnuma, libnuma, timed
from harness.contest import Line, Skip, faster, take_turns

Mover = Callable[[np.ndarray, int], None]


def by_numa_move_pages(array: np.ndarray, node: int) -> None:
    """Move by libnuma, with the lists that a caller of it has to make."""
    pages = memory.pages_of(array)
    status = np.full(len(pages), mp.PageStatus.NOT_ATTEMPTED, np.int32)
    by_libnuma(pages, np.full(len(pages), node, np.int32), status)


def moving(sizes: Sizes) -> list[Line]:
    """Move an array of small pages to another node and back, and check each page with C."""
    name = f"{in_bytes(sizes.move)} of small pages to another node: {{}} / move()"
    others: dict[str, Mover | Skip] = {
        "libnuma": by_numa_move_pages if libnuma() else Skip("", "needs libnuma.so.1"),
        "hwloc": hwloc.move_range if hwloc.library() else Skip("", "needs libhwloc.so.15"),
    }
    nodes = two_nodes("")
    lines: list[Line] = []
    for who, mover in others.items():
        for each in (nodes, mover):
            if isinstance(each, Skip):
                lines.append(Skip(name.format(who), each.why))
                break
        else:
            lines.append(_move_in_turns(name.format(who), who, mover, nodes, sizes))
    return lines


def _move_in_turns(name: str, who: str, mover: Mover, nodes: tuple[int, int], sizes: Sizes) -> Line:
    arrays = {each: memory.small_pages(sizes.move) for each in (who, "movepages")}
    for array in arrays.values():
        mp.move(array, nodes[0]).raise_for_status()
    ways = itertools.cycle(nodes[::-1])
    to = nodes[0]

    def prepare() -> None:
        nonlocal to
        to = next(ways)

    def check() -> None:
        for each, array in arrays.items():
            pages = memory.pages_of(array)
            now = np.empty(len(pages), np.int32)
            by_c(pages, None, now)
            assert (now == to).all(), f"{each} did not move every page"

    turns = {
        who: lambda: timed(lambda: mover(arrays[who], to)),
        "movepages": lambda: timed(lambda: mp.move(arrays["movepages"], to).raise_for_status()),
    }
    return faster(name, take_turns(turns, sizes.rounds, check, prepare), who, "movepages")


PEERS = (hwloc.area, other_bindings, moving, migratepages, migspeed, against_others)
