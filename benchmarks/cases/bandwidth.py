"""Compare what measure_bandwidth() measures with other programs.

STREAM's copy and a sum pass over the same memory. likwid-bench and sysbench, which are optional,
pass over as much memory of their own.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Literal

import numpy as np

import movepages as mp
from cases.queries import Sizes, in_bytes
from harness import contenders, memory
from harness.bandwidth_tools import PASSES, Tool, allowed, tools
from harness.contest import Bound, Line, Row, Skip, in_words, take_turns
from movepages.memory.bandwidth_places import find_places
from movepages.memory.bandwidth_rounds import divide, measure_rates, part_nbytes
from movepages.results.bandwidth_figures import Rates

WITHIN = 1.1


@cache
def stream() -> ctypes.CDLL:
    """Compile and load stream.c, without calls of memcpy(3), whose stores bypass the caches."""
    flags = ["-O3", "-fopenmp", "-fno-tree-loop-distribute-patterns", "-shared", "-fPIC"]
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "stream.so"
        source = Path(contenders.__file__).with_name("stream.c")
        subprocess.run(["cc", *flags, "-o", library, source], check=True, capture_output=True)
        loaded = ctypes.CDLL(str(library))
    for function in (loaded.copy, loaded.sum):
        function.restype = ctypes.c_double
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long, ctypes.c_int]
    return loaded


def against_others(sizes: Sizes) -> list[Line]:
    """Compare all CPUs of one node with memory there, as `measure_bandwidth` uses them."""
    places = find_places(mp.topology())
    node, cpus = next(iter(places.cpus.items()))
    home = places.homes[node]
    size = part_nbytes(min(places.nbytes[home], sizes.size), len(cpus)) * len(cpus)
    array = mp.empty(size, np.uint8, layout=mp.blocks([home]), huge=huge())
    name = f"{{}} of {in_bytes(size)} by {len(cpus)} threads: measure_bandwidth() / {{}}"
    try:
        library = stream()
    except subprocess.CalledProcessError:
        library = None
    with allowed(cpus):
        if library is not None:
            # The first thread of OpenMP is this one.
            library.pin((ctypes.c_int * len(cpus))(*cpus), len(cpus))
        return [
            line
            for kind in Rates._fields
            for line in compare(
                partial(name.format, kind),
                partial(by_movepages, kind, array, cpus),
                {**stream_turns(kind, array, library), **tools(kind, size, cpus)},
                sizes.rounds,
            )
        ]


def compare(
    name: Callable[[str], str],
    ours: Tool,
    others: Mapping[str, Tool | Skip],
    rounds: int,
) -> list[Line]:
    """Compare the fastest rounds of all, which STREAM reports, too: load only slows down."""
    turns = {who: turn for who, turn in others.items() if not isinstance(turn, Skip)}
    found = take_turns({**turns, "movepages": ours}, rounds, lambda: None)
    fastest = {who: min(each[who] for each in found) for who in found[0]}
    lines: list[Line] = []
    for who, turn in others.items():
        if isinstance(turn, Skip):
            lines.append(Skip(name(who), turn.why))
            continue
        value = fastest["movepages"] / fastest[who]
        detail = ", ".join(f"{each} {in_words(fastest[each])}" for each in (who, "movepages"))
        bound = Bound("within", WITHIN)
        lines.append(Row(name(who), value, bound=bound, detail=f"fastest: {detail}"))
    return lines


def stream_turns(
    kind: str, array: np.ndarray, library: ctypes.CDLL | None
) -> dict[str, Tool | Skip]:
    if kind not in STREAM_TURNS:
        return {}
    if library is None:
        return {"STREAM": Skip("STREAM", "needs a C compiler with OpenMP")}
    return {"STREAM": STREAM_TURNS[kind](array, library)}


def stream_sum(array: np.ndarray, library: ctypes.CDLL) -> Tool:
    found = np.zeros(1, np.uint64)

    def run() -> float:
        data, words = array.ctypes.data, array.nbytes // 8
        took: float = library.sum(data, found.ctypes.data, words, PASSES)
        assert int(found[0]) == int(array.view(np.uint64).sum())
        return took

    return run


def stream_copy(array: np.ndarray, library: ctypes.CDLL) -> Tool:
    source, to = np.split(array, 2)

    def run() -> float:
        source.view(np.uint64)[:] += 1
        took: float = library.copy(source.ctypes.data, to.ctypes.data, len(source) // 8, PASSES)
        assert np.array_equal(source, to)
        return took

    return run


STREAM_TURNS = {"read": stream_sum, "copy": stream_copy}


def by_movepages(kind: str, array: np.ndarray, cpus: tuple[int, ...]) -> float:
    """Return the seconds of the fastest pass; what it reads and writes is asserted inside."""
    # Threads of OpenMP wait busily for a moment.
    time.sleep(0.02)
    rates = measure_rates(divide(array, cpus), 0, lambda: None)
    return array.nbytes / float(getattr(rates, kind)) / 1e9


def huge() -> Literal["thp"] | None:
    return "thp" if memory.huge_page_size() else None


BANDWIDTH = (against_others,)
