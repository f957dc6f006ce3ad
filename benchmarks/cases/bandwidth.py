"""Compare what measure_bandwidth() measures with STREAM's copy and a sum, in the same memory."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

import movepages as mp
from cases.queries import Sizes, in_bytes
from harness import contenders, memory
from harness.contest import Bound, Line, Row, Skip, in_words, take_turns
from movepages.memory.bandwidth_places import find_places
from movepages.memory.bandwidth_rounds import divide, measure_rates, part_nbytes
from movepages.results.bandwidth_figures import Rates

Turns: TypeAlias = dict[str, Callable[[], float]]

WITHIN = 1.1
# As many as movepages makes at least.
ROUNDS_A_TURN = 3


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


def against_stream(sizes: Sizes) -> list[Line]:
    """Compare all CPUs of one node with memory there, as `measure_bandwidth` uses them."""
    places = find_places(mp.topology())
    node, cpus = next(iter(places.cpus.items()))
    home = places.homes[node]
    size = part_nbytes(min(places.nbytes[home], sizes.size), len(cpus)) * len(cpus)
    name = f"{{}} of {in_bytes(size)} by {len(cpus)} threads: measure_bandwidth() / STREAM"
    try:
        library = stream()
    except subprocess.CalledProcessError:
        return [Skip(name.format("copy"), "needs a C compiler with OpenMP")]
    array = mp.empty(size, np.uint8, layout=mp.blocks([home]), huge=huge())
    before = os.sched_getaffinity(0)
    try:
        # The first thread of OpenMP is this one.
        library.pin((ctypes.c_int * len(cpus))(*cpus), len(cpus))
        return [
            compare(name.format("read"), read_turns(array, cpus, library), sizes.rounds),
            compare(name.format("copy"), copy_turns(array, cpus, library), sizes.rounds),
        ]
    finally:
        os.sched_setaffinity(0, before)


def compare(name: str, turns: Turns, rounds: int) -> Line:
    """Compare the fastest rounds of all, which STREAM reports, too: load only slows down."""
    found = take_turns(turns, rounds, lambda: None)
    fastest = {who: min(each[who] for each in found) for who in turns}
    detail = ", ".join(f"{who} {in_words(took)}" for who, took in fastest.items())
    value = fastest["movepages"] / fastest["STREAM"]
    return Row(name, value, bound=Bound("within", WITHIN), detail=f"fastest: {detail}")


def read_turns(array: np.ndarray, cpus: tuple[int, ...], library: ctypes.CDLL) -> Turns:
    found = np.zeros(1, np.uint64)

    def by_stream() -> float:
        data, words = array.ctypes.data, array.nbytes // 8
        took: float = library.sum(data, found.ctypes.data, words, ROUNDS_A_TURN)
        assert int(found[0]) == int(array.view(np.uint64).sum())
        return took

    return {"STREAM": by_stream, "movepages": lambda: by_movepages(array, cpus).read}


def copy_turns(array: np.ndarray, cpus: tuple[int, ...], library: ctypes.CDLL) -> Turns:
    source, to = np.split(array, 2)

    def by_stream() -> float:
        source.view(np.uint64)[:] += 1
        took: float = library.copy(
            source.ctypes.data, to.ctypes.data, len(source) // 8, ROUNDS_A_TURN
        )
        assert np.array_equal(source, to)
        return took

    return {"STREAM": by_stream, "movepages": lambda: by_movepages(array, cpus).copy}


def by_movepages(array: np.ndarray, cpus: tuple[int, ...]) -> Rates:
    """Return the seconds of each pass; what it reads and writes is asserted inside."""
    # Threads of OpenMP wait busily for a moment.
    time.sleep(0.02)
    rates = measure_rates(divide(array, cpus), 0, lambda: None)
    return Rates(*(array.nbytes / rate / 1e9 for rate in rates))


def huge() -> Literal["thp"] | None:
    return "thp" if memory.huge_page_size() else None


BANDWIDTH = (against_stream,)
