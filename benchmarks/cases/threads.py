"""Measure moves and first touches by two threads against one, and the bare call in two threads.

Two CPUs must run at the same time. The emulated ones of the lab do with --parallel only:

    python benchmarks/move_threads.py    # here, or in a guest of its own
"""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
from collections.abc import Callable
from functools import partial

import numpy as np

import movepages as mp
from cases.moves import two_nodes
from cases.queries import Sizes, huge_array, in_bytes
from harness import memory
from harness.contenders import by_c, timed
from harness.contest import Line, Skip, faster, take_turns

SMALL, HUGE, TOUCH = 1.5, 1.3, 1.7
# Two CPUs that run at once do twice the work of one. In turns they do the same.
AT_ONCE = 1.5


def moves_by_threads(sizes: Sizes) -> list[Line]:
    return [
        *by_two(sizes, "small pages", memory.small_pages(sizes.move), memory.PAGE, SMALL),
        *by_two(sizes, "huge pages", *huge(sizes), HUGE),
    ]


def huge(sizes: Sizes) -> tuple[np.ndarray | Skip, int]:
    return huge_array(sizes.move, name_of(sizes, "huge pages")), memory.huge_page_size()


def name_of(sizes: Sizes, what: str) -> str:
    return f"move() of {in_bytes(sizes.move)} of {what}: one thread / two threads"


def by_two(
    sizes: Sizes, what: str, array: np.ndarray | Skip, step: int, bound: float
) -> list[Line]:
    """Move an array there and back, by move() and by the bare call, with one thread and two."""
    name = name_of(sizes, what)
    nodes = two_nodes(name)
    if isinstance(nodes, Skip):
        return [nodes]
    if isinstance(array, Skip):
        return [array]
    if why := why_not():
        return [Skip(name, why)]
    pages = memory.pages_of(array, step)
    results: list[mp.MoveResult] = []
    turns = itertools.cycle(nodes)
    mp.move(array, next(turns)).raise_for_status()

    def there_and_back(move: Callable[[int], object]) -> float:
        return timed(lambda: [move(next(turns)) for _ in nodes])

    def ours(threads: int, node: int) -> None:
        results.append(mp.move(array, node, threads=threads))

    def check() -> None:
        assert all(each.ok and each.moved == each.pages for each in results)
        results.clear()
        assert mp.where(array).bytes_per_node == {nodes[0]: array.nbytes}

    contenders = {
        "one thread": lambda: there_and_back(partial(ours, 1)),
        "two threads": lambda: there_and_back(partial(ours, 2)),
        "C, one thread": lambda: there_and_back(partial(by_c_threads, pages, 1)),
        "C, two threads": lambda: there_and_back(partial(by_c_threads, pages, 2)),
    }
    rounds = take_turns(contenders, sizes.rounds, check)
    return [
        faster(name, rounds, "one thread", "two threads", bound),
        faster(f"{name}, by C", rounds, "C, one thread", "C, two threads"),
        faster(f"{name}, C in two threads / movepages", rounds, "C, two threads", "two threads"),
    ]


def by_c_threads(pages: np.ndarray, threads: int, node: int) -> None:
    """Make the bare call in each thread, for a contiguous part of the pages."""
    status = np.full(len(pages), mp.PageStatus.NOT_ATTEMPTED, np.int32)
    nodes = np.full(len(pages), node, np.int32)
    parts = [np.array_split(each, threads) for each in (pages, nodes, status)]
    in_threads([partial(by_c, *part) for part in zip(*parts, strict=True)])
    assert (status == node).all(), "some pages were not moved"


def touches_by_threads(sizes: Sizes) -> list[Line]:
    return [
        touch_by_two(sizes, "small pages", memory.small_pages),
        touch_by_two(sizes, "huge pages", memory.huge_pages),
    ]


def touch_by_two(sizes: Sizes, what: str, make: Callable[[int], np.ndarray]) -> Line:
    """Touch the pages of an array with one thread and with two, and discard them in between."""
    name = f"touch() of {in_bytes(sizes.move)} of {what}: one thread / two threads"
    if why := why_not():
        return Skip(name, why)
    if make is memory.huge_pages and not memory.huge_page_size():
        return Skip(name, "needs transparent huge pages")
    array = make(sizes.move)

    def touched(threads: int) -> float:
        memory.discard(array)
        assert mp.where(array).absent_bytes == array.nbytes
        return timed(lambda: mp.touch(array, threads=threads))

    def check() -> None:
        assert mp.where(array).absent_bytes == 0
        assert (memory.huge_bytes(array) > 0) == (make is memory.huge_pages)

    turns = {"one thread": lambda: touched(1), "two threads": lambda: touched(2)}
    rounds = take_turns(turns, sizes.rounds, check)
    # The memory itself limits how fast huge pages are cleared.
    bound = TOUCH if make is memory.small_pages else None
    return faster(name, rounds, "one thread", "two threads", bound)


def why_not() -> str:
    """Return why two threads cannot be compared with one here; "" if they can."""
    if len(os.sched_getaffinity(0)) < 2:
        return "needs two CPUs, this process may use one"
    gain = gain_of_two_cpus()
    if gain < AT_ONCE:
        return f"two threads do {gain:.2f} times the work of one here: the CPUs take turns"
    return ""


def gain_of_two_cpus() -> float:
    """Return how many times the work of one thread two threads do at the same time."""
    block = bytes(16 << 20)

    def work() -> None:
        hashlib.sha256(block)

    return 2 * min(timed(work) for _ in range(3)) / min(
        timed(lambda: in_threads([work, work])) for _ in range(3)
    )  # fmt: skip


def in_threads(calls: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


THREADS = (moves_by_threads, touches_by_threads)
