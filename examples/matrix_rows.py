"""A matrix in shared memory, of which every worker process has its rows on its own node.

    python examples/matrix_rows.py [--size 2048]

The rows go to the nodes before the workers are there: memory that several processes have mapped
moves with MPOL_MF_MOVE_ALL alone.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from multiprocessing import shared_memory

import numpy as np

import movepages as mp
from stencil import compute_nodes


def place(matrix: np.ndarray, nodes: list[int]) -> None:
    """Put a block of rows on each node."""
    mp.move(matrix, mp.by_axis(0, nodes)).raise_for_status()


def multiply_rows(
    name: str, size: int, share: int, cpus: list[set[int]], x: np.ndarray
) -> np.ndarray:
    """Return what a worker computes: its rows of the matrix times x."""
    os.sched_setaffinity(0, cpus[share])
    shared = shared_memory.SharedMemory(name)
    try:
        matrix = np.ndarray((size, size), buffer=shared.buf)
        rows = np.array_split(np.arange(size), len(cpus))[share]
        return matrix[rows[0] : rows[-1] + 1] @ x
    finally:
        del matrix
        shared.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", type=int, default=2048, help="rows and columns (%(default)s)")
    size, nodes = parser.parse_args().size, compute_nodes()
    shared = shared_memory.SharedMemory(create=True, size=size * size * 8)
    try:
        matrix = np.ndarray((size, size), buffer=shared.buf)
        matrix[:] = np.arange(size)[:, None]
        place(matrix, nodes)
        print(mp.where(matrix))
        x = np.full(size, 1.0 / size)
        with multiprocessing.get_context("spawn").Pool(len(nodes)) as pool:
            cpus = [os.sched_getaffinity(0) & set(mp.topology().nodes[node].cpus) for node in nodes]
            jobs = [(shared.name, size, share, cpus, x) for share in range(len(nodes))]
            y = np.concatenate(pool.starmap(multiply_rows, jobs))
        assert np.allclose(y, np.arange(size)), "the product is wrong"
        print(f"{len(nodes)} workers multiplied {size:,} rows")
        del matrix
    finally:
        shared.close()
        shared.unlink()


if __name__ == "__main__":
    main()
