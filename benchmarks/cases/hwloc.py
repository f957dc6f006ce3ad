"""Compare hwloc, in C and as pyhwloc, with where() and move().

hwloc reports the nodes of a range as a set, where() those of each page. Both move ranges.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

import movepages as mp
from cases.queries import Sizes, huge_array, in_bytes
from harness import memory
from harness.contenders import timed
from harness.contest import Line, Rounds, Skip, faster, take_turns

_BIND, _MIGRATE, _BY_NODESET = 2, 1 << 3, 1 << 5
Ask = Callable[[int, int], set[int]]


@cache
def library() -> tuple[ctypes.CDLL, ctypes.c_void_p] | None:
    """Load hwloc and let it read the machine, or return None if it is not installed."""
    try:
        loaded = ctypes.CDLL("libhwloc.so.15", use_errno=True)
    except OSError:
        return None
    loaded.hwloc_bitmap_alloc.restype = ctypes.c_void_p
    topology = ctypes.c_void_p()
    assert loaded.hwloc_topology_init(ctypes.byref(topology)) == 0
    assert loaded.hwloc_topology_load(topology) == 0
    return loaded, topology


def by_c_library() -> Ask:
    """Return a function that asks the C library for the nodes of a range of addresses."""
    loaded = library()
    assert loaded is not None
    hwloc, topology = loaded
    found = ctypes.c_void_p(hwloc.hwloc_bitmap_alloc())
    nodes = list(mp.topology().nodes)

    def ask(address: int, nbytes: int) -> set[int]:
        place, size = ctypes.c_void_p(address), ctypes.c_size_t(nbytes)
        done = hwloc.hwloc_get_area_memlocation(topology, place, size, found, _BY_NODESET)
        assert done == 0, "hwloc_get_area_memlocation failed"
        return {node for node in nodes if hwloc.hwloc_bitmap_isset(found, node)}

    return ask


def by_pyhwloc() -> Ask:
    """Return a function that asks pyhwloc for the nodes of a range of addresses."""
    from pyhwloc.hwloc import bitmap, core

    topology = core.topology_t()
    core.topology_init(topology)
    core.topology_load(topology)
    found = bitmap.bitmap_alloc()
    nodes = list(mp.topology().nodes)

    def ask(address: int, nbytes: int) -> set[int]:
        place = ctypes.c_void_p(address)
        core.get_area_memlocation(topology, place, nbytes, found, _BY_NODESET)
        return {node for node in nodes if bitmap.bitmap_isset(found, node)}

    return ask


def move_range(array: np.ndarray, node: int) -> None:
    """Move an array by hwloc, which also sets the policy of its memory."""
    loaded = library()
    assert loaded is not None
    hwloc, topology = loaded
    nodes = ctypes.c_void_p(hwloc.hwloc_bitmap_alloc())
    hwloc.hwloc_bitmap_only(nodes, ctypes.c_uint(node))
    place, size = ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(array.nbytes)
    flags = _MIGRATE | _BY_NODESET
    assert hwloc.hwloc_set_area_membind(topology, place, size, nodes, _BIND, flags) == 0
    hwloc.hwloc_bitmap_free(nodes)


def area(sizes: Sizes) -> list[Line]:
    """Compare the time to get the set of nodes, which is all that hwloc reports."""
    size = min(sizes.size, 1 << 28)
    name = f"{in_bytes(size)} of {{}} pages, which nodes: {{}} / where()"
    ways: dict[str, Ask | Skip] = {
        "hwloc": by_c_library() if library() else Skip("", "needs libhwloc.so.15"),
        "pyhwloc": by_pyhwloc()
        if importlib.util.find_spec("pyhwloc")
        else Skip("", "needs pyhwloc, which needs Python 3.12"),
    }
    arrays = {"small": memory.small_pages(size), "huge": huge_array(size, "")}
    lines: list[Line] = []
    for kind, array in arrays.items():
        for who, ask in ways.items():
            reason = next((each.why for each in (array, ask) if isinstance(each, Skip)), None)
            here = name.format(kind, who)
            if reason is not None:
                lines.append(Skip(here, reason))
            else:
                lines.append(faster(here, contest(who, array, ask, sizes.rounds), who, "movepages"))
    return lines


def contest(who: str, array: Any, ask: Any, rounds: int) -> Rounds:
    answers: dict[str, set[int]] = {}

    def by_other() -> None:
        answers[who] = ask(array.ctypes.data, array.nbytes)

    def by_movepages() -> None:
        answers["movepages"] = set(mp.where(array).bytes_per_node)

    def check() -> None:
        assert answers[who] == answers["movepages"], answers
        answers.clear()

    turns = {who: lambda: timed(by_other), "movepages": lambda: timed(by_movepages)}
    return take_turns(turns, rounds, check)


HWLOC = (area,)
