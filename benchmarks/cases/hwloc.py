"""Compare hwloc, which reports the nodes of an array, with where(), which reports each page."""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Callable

import numpy as np

import movepages as mp
from cases.queries import Sizes, huge_array, in_bytes
from harness import memory
from harness.contenders import timed
from harness.contest import Line, Skip, faster, take_turns

_BY_NODESET = 1 << 5


def asker() -> Callable[[int, int], set[int]]:
    """Return a function that asks hwloc for the nodes of a range of addresses."""
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


def area(sizes: Sizes) -> list[Line]:
    """Compare the time to get the set of nodes, which is all that hwloc reports."""
    size = min(sizes.size, 1 << 28)
    name = f"{in_bytes(size)} of {{}} pages, which nodes: pyhwloc / where()"
    if importlib.util.find_spec("pyhwloc") is None:
        return [Skip(name.format("small"), "needs pyhwloc, which needs Python 3.12")]
    arrays = {"small": memory.small_pages(size), "huge": huge_array(size, name.format("huge"))}
    ask = asker()
    return [
        array if isinstance(array, Skip) else contest(name.format(kind), array, ask, sizes.rounds)
        for kind, array in arrays.items()
    ]


def contest(name: str, array: np.ndarray, ask: Callable[[int, int], set[int]], rounds: int) -> Line:
    answers: dict[str, set[int]] = {}

    def by_hwloc() -> None:
        answers["pyhwloc"] = ask(array.ctypes.data, array.nbytes)

    def by_movepages() -> None:
        answers["movepages"] = set(mp.where(array).bytes_per_node)

    def check() -> None:
        assert answers["pyhwloc"] == answers["movepages"], answers
        answers.clear()

    turns = {"pyhwloc": lambda: timed(by_hwloc), "movepages": lambda: timed(by_movepages)}
    return faster(name, take_turns(turns, rounds, check), "pyhwloc", "movepages")


HWLOC = (area,)
