"""A table whose cold part waits on a node of slow memory, and comes back where it was.

    python examples/demote.py [--size 64]

A node with memory and no CPUs is how Linux shows CXL memory and other slow tiers.
"""

from __future__ import annotations

import argparse

import numpy as np

import movepages as mp


def slow_node() -> int:
    """Return the memory-only node that is farthest, or the last node where there is none."""
    now = mp.topology()
    allowed = [now.nodes[node] for node in now.allowed_nodes]
    slow = [node for node in allowed if not node.cpus] or allowed[-1:]
    first = now.allowed_nodes[0]
    return max(slow, key=lambda node: now.distance(first, node.id)).id


def demote(part: np.ndarray, node: int) -> mp.Placement:
    """Move a part of a table away; returned is what brings it back."""
    before = mp.where(part)
    print(mp.plan(part, node))
    mp.move(part, node).raise_for_status()
    return before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", type=int, default=64, help="MiB (%(default)s)")
    size = parser.parse_args().size << 20
    table = mp.full(size // 8, 1.0, np.float64, node=mp.topology().allowed_nodes[0])
    cold = table[: len(table) // 2]
    before = demote(cold, slow_node())
    print(f"table:      {mp.where(table)}")
    mp.move(cold, before).raise_for_status()
    print(f"back again: {mp.where(table)}")
    assert table.sum() == len(table), "the table has changed"


if __name__ == "__main__":
    main()
