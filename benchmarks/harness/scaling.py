"""Count what where(), plan() and move() ask of a model of the kernel, and the memory they take.

The Python floors, the driver and the survey are the real ones. The model beneath them knows where
each page is wanted: a page that goes elsewhere, or moves twice, ends the program.
"""

from __future__ import annotations

import gc
import itertools
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import movepages as mp
from harness.model_kernel import BLOCK, PAGE, START, Memory, ModelKernel

# What a moving call costs before its first page, by the number of CPUs. The first and the last were
# measured; the kernel drains the lists of each CPU, so those between are in proportion.
FIXED_NS = {2: 155_000, 64: 1_700_000, 256: 6_500_000, 1024: 26_000_000}
MOST_PAGES = 10**10
FEW = 1000
# From here on, what a call costs by itself does not show.
MANY = 1000 * FEW
# Scratch memory may grow with the runs found, which the result holds, and not with the pages.
SCRATCH, SCRATCH_A_RUN = 16 << 20, 128
# Ten times as many pages take at most ten times as long, but for rounding.
LINEAR = 11


@dataclass(frozen=True)
class Series:
    """One kind of call on one kind of memory.

    Calls that take little time are counted for `reach` times as many pages as moves are.
    """

    name: str
    work: str
    memory: Memory
    reach: int = 1
    sparse: bool = False

    def at(self, pages: int) -> Memory:
        return replace(self.memory, pages=pages, every=max(pages // FEW, 1) if self.sparse else 1)


@dataclass(frozen=True)
class Point:
    """The counts of one call."""

    pages: int
    calls: int  # of the kernel, all kinds
    moving_calls: int
    entries: int  # of all lists given to the kernel
    seconds: float  # by the clock of the model
    longest: float  # the longest moving call, in seconds
    scratch_bytes: int
    runs: int  # in the result


def _series() -> Iterator[Series]:
    for kind, huge in (("huge", True), ("small", False)):
        still, away = Memory(0, huge), Memory(0, huge, first=1)
        light = 1000 if huge else 10
        yield Series(f"where(), {kind} pages", "where", still, light)
        yield Series(f"plan(), {kind} pages", "plan", away, light)
        yield Series(f"move() in place, {kind} pages", "move", still, light)
        for cpus, fixed_ns in FIXED_NS.items():
            name = f"move() to a node, {kind} pages, {cpus:,} CPUs"
            yield Series(name, "move", replace(away, fixed_ns=fixed_ns))
        for nodes in (2, 16, 1024):
            name = f"move() to {nodes:,} nodes in turn, {kind} pages, 2 CPUs"
            yield Series(name, "move", Memory(0, huge, nodes=nodes))
    for work in ("where", "plan", "move"):
        name = f"{work}(), {FEW:,} pages in a mapping of holes"
        yield Series(name, work, Memory(0, first=int(work != "where")), 10**6, sparse=True)


SERIES = tuple(_series())


def count(work: str, memory: Memory) -> Point:
    """Make one call, check what it did, and return its counts."""
    kernel = ModelKernel(memory)
    gc.collect()
    with kernel.installed():
        tracemalloc.start()
        try:
            result = _call(work, memory)
            scratch = tracemalloc.get_traced_memory()[1] + kernel.scratch_bytes
        finally:
            tracemalloc.stop()
        counts = kernel.counts
        runs = _check(work, memory, kernel, result)
    return Point(
        pages=memory.pages,
        calls=counts.moving_calls + counts.queries + counts.scans,
        moving_calls=counts.moving_calls,
        entries=counts.entries,
        seconds=counts.clock_ns / 1e9,
        longest=counts.longest_ns / 1e9,
        scratch_bytes=scratch,
        runs=runs,
    )


def _call(work: str, memory: Memory) -> Any:
    if work == "where":
        return mp.where(memory.region)
    return getattr(mp, work)(memory.region, memory.target)


def _check(work: str, memory: Memory, kernel: ModelKernel, result: Any) -> int:
    """Check the result against the memory, and return the number of its runs."""
    present = -(-memory.pages // memory.every)
    if work == "plan":
        at_home = present if memory.first == 0 else 0
        assert (result.in_place // PAGE, result.to_move // PAGE) == (at_home, present - at_home)
        return 0
    runs, moves = result.runs, work == "move"
    assert runs["pages"].sum() == memory.pages
    on_node = runs[runs["status"] >= 0]
    assert on_node["pages"].sum() == present
    if moves:
        assert kernel.not_placed == 0
        assert result.moved + result.already_there == present
        assert result.moved == kernel.counts.moved
    number = (on_node["address"] - np.uintp(START)) // np.uintp(BLOCK)
    wanted = memory.first + number % np.uintp(memory.nodes) if moves else number * np.uintp(0)
    assert np.array_equal(on_node["status"], wanted.astype(np.int32))
    return len(runs)


def measure(most: int) -> dict[str, list[Point]]:
    """Return the points of each series: moves up to `most` pages, other calls further."""
    for work in ("where", "plan", "move"):
        # Modules that a first call imports are not scratch memory.
        count(work, Memory(FEW, huge=True, first=1))
        count(work, Memory(10 * FEW, nodes=2) if work == "move" else Memory(10 * FEW))
    found: dict[str, list[Point]] = {}
    for series in SERIES:
        print(f"scaling: {series.name}", file=sys.stderr, flush=True)
        pages = FEW
        while pages <= min(most * series.reach, MOST_PAGES):
            point = count(series.work, series.at(pages))
            assert point.scratch_bytes <= SCRATCH + SCRATCH_A_RUN * point.runs, (series, point)
            found.setdefault(series.name, []).append(point)
            pages *= 10
        assert growth(found[series.name]) < LINEAR, series
    return found


def growth(points: list[Point]) -> float:
    """Return the largest factor by which the time grows when many pages grow tenfold."""
    many = [point for point in points if point.pages >= MANY]
    pairs = itertools.pairwise(many)
    return max((after.seconds / before.seconds for before, after in pairs), default=1.0)
