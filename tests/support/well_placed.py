"""Memory that is where it belongs, of which nothing must be said."""

import os
import time

import numpy as np

from . import memory, nodes, placing
from .placing import bind_threads, cpu_nodes, cpus_of, every_cpu
from .situations import (
    WAYS,
    Expected,
    Situation,
    arrays,
    bound_to,
    bound_to_both,
    in_turn,
    page_nodes,
)  # fmt: skip

LEAVE = Expected("leave")


def own_node(random: np.random.Generator, outside: bool) -> Situation:
    """Arrays on the node of their threads."""
    made = Situation()
    near = int(random.choice(cpu_nodes()))
    bind_threads(every_cpu())
    for array in arrays(random, whole=outside)[0]:
        made.add(array, page_nodes(array, [near]), LEAVE, str(random.choice(WAYS)))
        if not outside:
            array.flags.writeable = bool(random.random() < 0.7)
    bound_to(random, near, made)
    return made


def own_blocks(random: np.random.Generator, outside: bool) -> Situation:
    """Each thread's part of each array on the thread's node."""
    made = Situation()
    parts = bound_to_both(random, made)
    some_arrays, huge = arrays(random, len(parts), whole=outside)
    for array in some_arrays:
        planted = page_nodes(array, parts)
        made.add(array, placing.as_huge_pages(array, planted) if huge else planted, LEAVE, "moved")
    return made


def busy_everywhere(random: np.random.Generator, outside: bool) -> Situation:
    """Several busy threads that may run on both nodes, arrays interleaved over these."""
    made = Situation()
    bind_threads(every_cpu())
    made.threads = placing.Team([every_cpu()] * int(random.integers(2, 6)))
    _interleave(random, made, cpu_nodes(), outside)
    return made


def used_by_all(random: np.random.Generator, outside: bool) -> Situation:
    """Threads bound to both nodes that each use everything, arrays interleaved."""
    made = Situation(options={"access": "all"})
    parts = bound_to_both(random, made)
    _interleave(random, made, sorted(set(parts)), outside)
    return made


def _interleave(
    random: np.random.Generator, made: Situation, over: list[int], outside: bool
) -> None:
    order = [int(node) for node in random.permutation(over)]
    some_arrays, huge = arrays(random, 2, whole=outside)
    for array in some_arrays:
        made.add(array, in_turn(array, order, huge), LEAVE, "moved")


def bound_early(random: np.random.Generator, outside: bool) -> Situation:
    """A process that was bound to a node before it allocated."""
    near = int(random.choice(cpu_nodes()))
    made = Situation(near=near)
    bind_threads(cpus_of(near))
    made.threads = placing.Team([cpus_of(near)] * int(random.integers(0, 4)))
    for array in arrays(random, whole=outside)[0]:
        placing.fill(array)
        made.add(array, page_nodes(array, [near]), LEAVE)
    return made


def tiny(random: np.random.Generator, outside: bool) -> Situation:
    """Arrays of less than 1 MiB, too small to matter, wholly on the wrong node."""
    made = Situation()
    near = int(random.choice(cpu_nodes()))
    far = [node for node in nodes.allowed() if node != near]
    bind_threads(every_cpu())
    for _ in range(int(random.integers(1, 4))):
        nbytes = memory.PAGE * int(random.integers(1, 80))
        array = placing.array_of(random, nbytes, huge=False, whole=True)
        made.add(array, page_nodes(array, [int(random.choice(far))]), LEAVE, "moved")
    bound_to(random, near, made)
    return made


def lone_thread(random: np.random.Generator, outside: bool) -> Situation:
    """One thread that may run anywhere, its memory where it runs."""
    made = Situation()
    node = int(random.choice(cpu_nodes()))
    bind_threads(cpus_of(node))
    for array in arrays(random, whole=outside)[0]:
        made.add(array, page_nodes(array, [node]), LEAVE, "moved")
    until = time.thread_time() + 0.02
    while time.thread_time() < until:
        sum(range(1000))
    # It stays on its CPU until the scheduler has a reason to move it.
    os.sched_setaffinity(0, every_cpu())
    made.near, made.cpu = node, cpus_of(node)[0]
    return made
