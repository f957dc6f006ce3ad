"""Arrays on known nodes, threads on known CPUs, and the advice that a user would expect.

What is expected is written down by the makers and is never taken from the code that advises.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import memory, placing, witness
from .placing import MIB, bind_threads, cpu_nodes, cpus_of, every_cpu

WAYS = ("moved", "touched", "bound")


@dataclass(frozen=True)
class Expected:
    """What the advice about one array must be."""

    verdict: str
    # How the text of the layout begins.
    layout: str = ""
    # The node of each page, or the nodes over which the pages are spread evenly.
    nodes: np.ndarray | frozenset[int] = frozenset()


@dataclass
class Situation:
    """Arrays on nodes, threads on CPUs, and what must be said of them."""

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    planted: dict[str, np.ndarray] = field(default_factory=dict)
    expected: dict[str, Expected] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    threads: placing.Team | None = None
    # The node of all threads, if there is one.
    near: int | None = None
    # The CPU on which the only thread must have stayed.
    cpu: int | None = None

    def add(
        self, array: np.ndarray, planted: np.ndarray, expected: Expected, how: str | None = None
    ) -> None:
        """Put an array on its nodes; without `how` it is there already."""
        name = f"a{len(self.arrays)}"
        if how:
            placing.put(array, planted, how)
        self.arrays[name], self.planted[name], self.expected[name] = array, planted, expected

    @property
    def subject(self) -> Any:
        """What the user passes: the only array, or a dict of all."""
        return self.arrays if len(self.arrays) > 1 else self.arrays["a0"]

    def look(self) -> dict[str, np.ndarray]:
        """Return the node of each page of each array, by the witness."""
        return {
            name: witness.nodes_at_once(memory.pages_of(array))
            for name, array in self.arrays.items()
        }


def page_nodes(array: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """Return the node of each page if each node of `order` has a part of the same size."""
    pages = len(memory.pages_of(array))
    return np.asarray(order, np.int32)[np.arange(pages) * len(order) // pages]


def in_turn(array: np.ndarray, order: Sequence[int], huge: bool) -> np.ndarray:
    """Return the node of each page if pages, or huge pages, take turns."""
    unit = memory.huge_page_size() if huge else memory.PAGE
    turns = memory.pages_of(array) // unit
    return np.asarray(order, np.int32)[((turns - turns[0]) % len(order)).astype(int)]


def arrays(
    random: np.random.Generator, parts: int = 1, *, whole: bool = False
) -> tuple[list[np.ndarray], bool]:
    """Return some untouched arrays, 4 to 24 MiB together, and whether they are in huge pages.

    Parameters
    ----------
    random : Generator
        Source of the choices.
    parts : int, default 1
        Number of parts of each array whose borders must not cut a huge page.
    whole : bool, default False
        See `placing.array_of`.
    """
    huge = bool(random.random() < 0.3) and memory.huge_page_size() == 2 * MIB
    if huge:
        counts = [n for n in range(4, 13) if n % parts == 0]
        sizes = [2 * MIB * int(n) for n in random.permutation(counts)[:1]]
    else:
        count = int(random.choice([1, 1, 2, 3]))
        pages = random.choice(np.arange(4 * 256, (25 - count) // count * 256), count, replace=False)
        sizes = [memory.PAGE * int(n) for n in pages]
    return [placing.array_of(random, size, huge=huge, whole=whole) for size in sizes], huge


def bound_to(random: np.random.Generator, node: int, situation: Situation) -> None:
    """Have all threads run on a node: bound there, or as the user tells by `cpus`."""
    situation.near = node
    cpus = cpus_of(node)
    if random.random() < 0.3:
        bind_threads(every_cpu())
        situation.options["cpus"] = cpus
    else:
        bind_threads(cpus)
    situation.threads = placing.Team([cpus] * int(random.integers(0, 4)))


def bound_to_both(random: np.random.Generator, situation: Situation) -> list[int]:
    """Bind threads to two nodes, in random order; return the node of each part of the work."""
    first, second = (int(node) for node in random.permutation(cpu_nodes())[:2])
    parts = [first] * int(random.integers(1, 4)) + [second] * int(random.integers(1, 4))
    random.shuffle(parts)
    bind_threads(every_cpu())
    situation.threads = placing.Team([cpus_of(node) for node in parts])
    if random.random() < 0.3:
        situation.options["cpus"] = [cpus_of(node)[0] for node in parts]
        return parts
    return sorted(parts)
