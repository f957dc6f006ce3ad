"""A stencil code whose grid lies beside the threads that compute it.

    python examples/stencil.py [--size 2048] [--steps 20]

Each thread runs on the CPUs of one node and has one contiguous share of the rows, which is how
OpenMP's static schedule and numba's prange divide a loop. The layout `blocks` puts it there.
"""

from __future__ import annotations

import argparse
import os
import threading

import numpy as np

import movepages as mp


def compute_nodes() -> list[int]:
    """Return the nodes that have both memory and CPUs this process may use."""
    cpus, now = os.sched_getaffinity(0), mp.topology()
    return [n for n in now.allowed_nodes if cpus & set(now.nodes[n].cpus)]


def smooth(grid: np.ndarray, steps: int, nodes: list[int]) -> np.ndarray:
    """Replace each inner cell by the mean of its four neighbours, `steps` times."""
    pair = [mp.empty(grid.shape, grid.dtype, layout=mp.blocks(nodes)) for _ in range(2)]
    for each in pair:
        each[:] = grid
    shares = np.array_split(np.arange(1, len(grid) - 1), len(nodes))
    together = threading.Barrier(len(nodes))
    here = os.sched_getaffinity(0)

    def work(node: int, rows: np.ndarray) -> None:
        # Of the calling thread alone.
        os.sched_setaffinity(0, here & set(mp.topology().nodes[node].cpus))
        first, end = int(rows[0]), int(rows[-1]) + 1
        for step in range(steps):
            old, new = pair[step % 2], pair[1 - step % 2]
            out = new[first:end, 1:-1]
            np.add(old[first - 1 : end - 1, 1:-1], old[first + 1 : end + 1, 1:-1], out=out)
            out += old[first:end, :-2]
            out += old[first:end, 2:]
            out *= 0.25
            together.wait()

    threads = [
        threading.Thread(target=work, args=(node, rows))
        for node, rows in zip(nodes, shares, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return pair[steps % 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", type=int, default=2048, help="rows and columns (%(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="(%(default)s)")
    options = parser.parse_args()
    nodes = compute_nodes()
    grid = np.zeros((options.size, options.size))
    grid[0] = 1.0
    result = smooth(grid, options.steps, nodes)
    print(f"{len(nodes)} threads, each on a node of its own: {mp.where(result)}")
    print(f"heat in row 1 after {options.steps} steps: {result[1].mean():.4f}")


if __name__ == "__main__":
    main()
