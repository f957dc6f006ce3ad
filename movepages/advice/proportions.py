"""Shares of nodes as a short list, in which each node is as often as its share says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from math import gcd, lcm

from ..processes.thread_use import ThreadUse

# More parts than this say nothing more about the shares of nodes.
_MOST_PARTS = 256


def by_cpus(threads: Iterable[ThreadUse], home: Mapping[int, int]) -> Counter[int]:
    """Return how much of the threads' time each node gets if all their CPUs are used alike."""
    nodes = [[home[cpu] for cpu in each.cpus if cpu in home] for each in threads]
    whole = lcm(*map(len, nodes))
    found: Counter[int] = Counter()
    for each in nodes:
        for node in each:
            found[node] += whole // len(each)
    return found


def fewest(counts: Counter[int]) -> tuple[int, ...]:
    """Return nodes in ascending order, in the same proportions and as few as possible.

    Examples
    --------
    >>> fewest(Counter([1, 0, 0, 1, 0, 0]))
    (0, 0, 1)
    """
    common = gcd(*counts.values())
    total = counts.total() // common
    shares = {node: counts[node] // common for node in sorted(counts)}
    if total > _MOST_PARTS:
        shares = {n: max(round(c * _MOST_PARTS / total), 1) for n, c in shares.items()}
    return tuple(node for node, count in shares.items() for _ in range(count))


def shortest(order: Sequence[int]) -> tuple[int, ...]:
    """Return the shortest list that divides a memory as a list of parts of the same size does.

    Examples
    --------
    >>> shortest([1, 1, 0, 0, 0, 0, 1, 1])
    (1, 0, 0, 1)
    """
    runs = [(node, len([*run])) for node, run in groupby(order)]
    common = gcd(*(length for _, length in runs))
    return tuple(node for node, length in runs for _ in range(length // common))
