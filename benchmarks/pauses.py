"""Measure the longest stop of a computing thread while its array moves.

    python benchmarks/pauses.py [--size MIB]

A thread adds to small parts of an array in turn and records how long each takes. Meanwhile the
array moves to another node and back: by one big call from C, by move() in the background, and by
move() with a bandwidth limit. Needs two nodes and two CPUs.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable

import numpy as np

import movepages as mp
from harness import memory
from harness.contenders import by_c

PART = 1 << 16


def longest_stop(array: np.ndarray, move: Callable[[], object]) -> tuple[float, float]:
    """Return the longest turn of the thread, and the time of the move."""
    stop, turns, longest = threading.Event(), 0, 0.0
    parts = array.reshape(-1, PART)

    def compute() -> None:
        nonlocal turns, longest
        before = time.perf_counter()
        while not stop.is_set():
            part = parts[turns % len(parts)]
            np.add(part, 1, out=part)
            turns += 1
            now = time.perf_counter()
            longest = max(longest, now - before)
            before = now

    thread = threading.Thread(target=compute)
    thread.start()
    start = time.perf_counter()
    try:
        move()
    finally:
        took = time.perf_counter() - start
        stop.set()
        thread.join()
    assert turns > 0
    return longest, took


def on(array: np.ndarray, node: int) -> bool:
    return mp.where(array).bytes_per_node == {node: array.nbytes}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", type=int, default=256, help="MiB to move (%(default)s)")
    size = parser.parse_args(argv).size << 20
    nodes = mp.topology().allowed_nodes
    if len(nodes) < 2:
        print("pauses: needs two NUMA nodes with memory, this process may use only one")
        return 0
    array = memory.small_pages(size)
    here, there = nodes[:2]
    mp.move(array, here).raise_for_status()
    pages = memory.pages_of(array)
    status = np.empty(len(pages), np.int32)
    target = np.full(len(pages), there, np.int32)

    def in_background(**how: str) -> None:
        mp.move(array, there, background=True, **how).result().raise_for_status()

    ways: dict[str, Callable[[], object]] = {
        "one big call from C": lambda: by_c(pages, target, status),
        "move(background=True)": in_background,
        "move(background=True, limit='256MiB/s')": lambda: in_background(limit="256MiB/s"),
    }
    for name, way in ways.items():
        longest, took = longest_stop(array, way)
        assert on(array, there), f"{name} did not move every page"
        print(f"{name:<42} longest stop {longest * 1e3:8.2f} ms, the move {took * 1e3:8.0f} ms")
        mp.move(array, here).raise_for_status()
        assert on(array, here)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
