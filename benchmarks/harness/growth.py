"""Measure how the cost of where() grows with the number of pages and of threads."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import numpy as np

import movepages as mp
from harness import memory
from harness.contenders import by_c, timed
from harness.contest import seconds, take_turns

WINDOW = 1 << 30


@dataclass(frozen=True)
class Curve:
    """Nanoseconds per page, over the number of pages or of threads."""

    name: str
    over: str
    at: list[int]
    ns_per_page: list[float]
    repeated: list[int]  # Those values of `at` that exceed the available memory.


def has_memory_for(count: int) -> bool:
    return count * memory.PAGE <= memory.available_bytes() // 2


def small_array(count: int) -> np.ndarray:
    """Return present small pages; beyond the available memory, a few mapped repeatedly."""
    nbytes = count * memory.PAGE
    if has_memory_for(count):
        return memory.small_pages(nbytes)
    return memory.repeated(nbytes, min(WINDOW, nbytes))


def time_one(array: np.ndarray, ways: list[int | None], rounds: int) -> dict[str, float]:
    """Return ns per page of C and of where() with each number of threads; compare statuses."""
    pages = memory.pages_of(array)
    status = np.empty(len(pages), np.int32)
    found: list[mp.Placement] = []
    calls = max(1, 2000 // len(pages))

    def look(threads: int | None) -> float:
        took = timed(lambda: mp.where(array, threads=threads), calls)
        found.append(mp.where(array, threads=threads))
        return took

    def check() -> None:
        assert (status >= 0).all(), "some pages are no longer present"
        while found:
            assert np.array_equal(found.pop().status, status), "where() and C differ"

    turns = {str(way): lambda way=way: look(way) for way in ways}
    turns["C"] = lambda: by_c(pages, None, status, calls)
    took = take_turns(turns, rounds, check)
    return {name: seconds(took, name) / len(pages) * 1e9 for name in turns}


def over_pages(most: int, rounds: int) -> list[Curve]:
    counts = [10**n for n in range(9) if 10**n <= most and n != 1]
    repeated = [count for count in counts if not has_memory_for(count)]
    told: dict[str, list[float]] = {}
    for count in counts:
        print(f"growth: {count:,} pages", file=sys.stderr, flush=True)
        few = min(rounds, 3) if count > 10**6 else rounds
        for name, ns in time_one(small_array(count), [None, 1], few).items():
            told.setdefault(name, []).append(ns)
    names = {"None": "where()", "1": "where(threads=1)", "C": "C"}
    return [Curve(names[name], "pages", counts, ns, repeated) for name, ns in told.items()]


def over_threads(most: int, rounds: int) -> list[Curve]:
    cpus = len(os.sched_getaffinity(0))
    counts = sorted({*range(1, min(cpus, 16) + 1), cpus})
    print(f"growth: 1 to {cpus} threads", file=sys.stderr, flush=True)
    found = time_one(small_array(min(most, 10**6)), list(counts), rounds)
    return [Curve("where()", "threads", counts, [found[str(n)] for n in counts], [])]


def measure(most: int, rounds: int) -> list[Curve]:
    """Return the curves over the number of pages, up to `most`, and over threads."""
    return [*over_pages(most, rounds), *over_threads(most, rounds)]
