"""Measure whether several threads move pages faster than one, by the bare call on disjoint parts.

    python benchmarks/move_threads.py [--size 128] [--rounds 3]

The result shows why move() uses one thread. Needs two nodes and two CPUs.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading

import numpy as np

import movepages as mp
from harness import memory
from harness.contenders import by_c, timed
from harness.contest import ratio, seconds, take_turns

THREADS = (1, 2, 4)


def move_by_threads(pages: np.ndarray, node: int, count: int) -> None:
    """Make the call in each thread, on a contiguous part of the pages."""
    status = np.empty(len(pages), np.int32)
    nodes = np.full(len(pages), node, np.int32)
    parts = [np.array_split(each, count) for each in (pages, nodes, status)]
    threads = [threading.Thread(target=by_c, args=part) for part in zip(*parts, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (status == node).all(), "some pages were not moved"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", type=int, default=128, help="MiB to move (%(default)s)")
    parser.add_argument(
        "--rounds", type=int, default=3, help="number of rounds, for the median (%(default)s)"
    )
    options = parser.parse_args(argv)
    nodes, cpus = mp.topology().allowed_nodes, len(os.sched_getaffinity(0))
    if len(nodes) < 2 or cpus < 2:
        print(f"move_threads: needs two nodes and two CPUs, found {len(nodes)} and {cpus}")
        return 0
    pages = memory.pages_of(array := memory.small_pages(options.size << 20))
    mp.move(array, nodes[0]).raise_for_status()

    def there_and_back(count: int) -> float:
        return timed(lambda: [move_by_threads(pages, node, count) for node in nodes[1::-1]])

    def check() -> None:
        assert mp.where(array).bytes_per_node == {nodes[0]: array.nbytes}

    turns = {str(count): lambda count=count: there_and_back(count) for count in THREADS}
    rounds = take_turns(turns, options.rounds, check)
    for count in THREADS:
        print(
            f"{count} threads on {cpus} CPUs: {seconds(rounds, str(count)):.3f} s, "
            f"{ratio(rounds, '1', str(count)):.2f} times as fast as one"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
