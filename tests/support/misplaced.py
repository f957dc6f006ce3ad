"""Memory planted where it does not belong: each maker plants it in the process that calls it."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import movepages as mp

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


def some(random: np.random.Generator, count: int) -> list[bool]:
    """Return which arrays are misplaced: the first at least, in random order."""
    chosen = [True, *(bool(random.random() < 0.5) for _ in range(count - 1))]
    random.shuffle(chosen)
    return chosen


def as_blocks(array: np.ndarray, parts: Sequence[int], outside: bool) -> Expected:
    """Expect that each thread's part of an array is near it."""
    rows = array.ndim > 1 and array.flags.c_contiguous and not outside
    return Expected("move", "by_axis" if rows else "blocks", page_nodes(array, parts))


def on_node(array: np.ndarray, node: int) -> Expected:
    """Expect that an array moves to a node as a whole."""
    return Expected("move", str(node), page_nodes(array, [node]))


def freeze(random: np.random.Generator, array: np.ndarray, outside: bool) -> bool:
    """Make some arrays read-only, which only their own process can tell."""
    if not outside and random.random() < 0.3:
        array.flags.writeable = False
    return not array.flags.writeable


def wrong_node(random: np.random.Generator, outside: bool) -> Situation:
    """All threads on one node, arrays wholly on another, which may have no CPU."""
    made = Situation()
    near = int(random.choice(cpu_nodes()))
    far = int(random.choice([node for node in nodes.allowed() if node != near]))
    some_arrays, _ = arrays(random, whole=outside)
    for array, wrong in zip(some_arrays, some(random, len(some_arrays)), strict=True):
        planted = page_nodes(array, [far if wrong else near])
        expected = on_node(array, near) if wrong else Expected("leave")
        made.add(array, planted, expected, str(random.choice(WAYS)))
        freeze(random, array, outside)
    bound_to(random, near, made)
    return made


def first_touch(random: np.random.Generator, outside: bool) -> Situation:
    """Threads on two nodes, arrays wholly on one of them, where one thread touched them."""
    made = Situation()
    parts = bound_to_both(random, made)
    everything = bool(random.random() < 0.3)
    if everything:
        made.options["access"] = "all"
    some_arrays, huge = arrays(random, 2 if everything else len(parts), whole=outside)
    # One thread has touched all of them.
    node = int(random.choice(parts))
    for array, wrong in zip(some_arrays, some(random, len(some_arrays)), strict=True):
        if wrong:
            fit = Expected("move", "interleave", frozenset(parts))
            expected = fit if everything else as_blocks(array, parts, outside)
            planted = page_nodes(array, [node])
        else:
            planted = in_turn(array, sorted(set(parts)), huge)
            if not everything:
                planted = page_nodes(array, parts)
            expected = Expected("leave")
        made.add(array, planted, expected, str(random.choice(WAYS)))
        if wrong and freeze(random, array, outside):
            made.expected[f"a{len(made.arrays) - 1}"] = Expected(
                "replicate", "replicate", frozenset(parts)
            )
    return made


def interleaved(random: np.random.Generator, outside: bool) -> Situation:
    """Threads on two nodes, each at work on its part, and arrays spread page by page."""
    made = Situation()
    parts = bound_to_both(random, made)
    some_arrays, huge = arrays(random, len(parts), whole=outside)
    for array in some_arrays:
        planted = in_turn(array, sorted(set(parts)), huge)
        made.add(array, planted, as_blocks(array, parts, outside), "moved")
    return made


def page_cache(
    random: np.random.Generator, outside: bool, folder: Path, *, right: bool = False
) -> Situation:
    """All threads on one node, a file's pages in the page cache on another, or on theirs."""
    made = Situation()
    near = int(random.choice(cpu_nodes()))
    far = int(random.choice([node for node in nodes.allowed() if node != near]))
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        nbytes = int(random.integers(4 * 256, 12 * 256)) * memory.PAGE
        placing.write_file(file.name, nbytes, near if right else far)
        way = random.choice(["r", "r+", "page_cache"])
        if way == "page_cache":
            array = mp.page_cache(file.name)
        else:
            dtype = random.choice([np.uint8, np.float64])
            array = np.memmap(file.name, dtype, str(way))
            array.max()
    expected = Expected("leave") if right else on_node(array, near)
    made.add(array, page_nodes(array, [near if right else far]), expected)
    bound_to(random, near, made)
    return made


def bound_late(random: np.random.Generator, outside: bool) -> Situation:
    """Memory filled on a node by threads that were free, all bound to another node later."""
    made = Situation()
    late, early = (int(node) for node in random.permutation(cpu_nodes())[:2])
    bind_threads(every_cpu())
    made.threads = placing.Team([every_cpu()] * int(random.integers(0, 3)))
    some_arrays, _ = arrays(random, whole=outside)
    for array in some_arrays:
        planted = page_nodes(array, [early])
        made.add(array, planted, on_node(array, late), "touched")
    bind_threads(cpus_of(late))
    return made
