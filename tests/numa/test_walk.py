"""One random walk over every kind of page and every operation on arrays, to catch false reports.

Between calls pages are written, given up, unmapped, made inaccessible, guarded, pinned, locked,
forked, split, collapsed and moved by mremap(). During some calls another thread does so. After each
call every status, count and byte is compared with the page tables, some with get_mempolicy(2) too,
and the contents with what was written.
"""

import contextlib
import mmap
import os
import threading
import time
from collections import Counter

import numpy as np
import pytest

from movepages.query import page_query
from support import nodes, system, walk_moves
from support.kinds_base import PROT_RW, CannotMakeError, advise
from support.memory import PAGE
from support.storm import meanwhile
from support.walk_areas import Area
from support.walk_changes import change, disturb
from support.walk_judge import Asked, check_contents
from support.walk_kinds import AREAS
from support.walk_looks import Look
from support.walk_operations import OPERATIONS

# The import of walk_moves registers its operations.
assert walk_moves

WHOLE_CHECK_EVERY = 50
STORMY = 0.08
RELEASE = 0.1
TOLD_EVERY = 100


class Walk:
    """Changes areas, calls operations, and notes their false reports."""

    def __init__(self, areas: list[Area], ids: list[int], seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.areas, self.ids = areas, ids
        self.lies: list[str] = []
        self.idle: list[str] = []
        self.counts: Counter[str] = Counter()
        self.changes: Counter[str] = Counter()
        self.pages = 0
        weights = np.array([weight for weight, _ in OPERATIONS.values()])
        self.weights = weights / weights.sum()

    def run(self, calls: int) -> None:
        """Make this many calls."""
        for number in range(calls):
            if number and number % TOLD_EVERY == 0:
                print(
                    f"{number} calls, {len(self.lies)} false reports, {len(self.idle)} idle",
                    flush=True,
                )
            for _ in range(int(self.random.integers(3))):
                area = self.areas[self.random.integers(len(self.areas))]
                self.changes[change(area, self.random)] += 1
            for area in self.areas:
                if self.random.random() < RELEASE:
                    area.release("child")
            self.step(number)
        # A kernel without some kind of memory draws other numbers, perhaps never one of a few.
        called = {each.split()[0] for each in self.counts}
        for name in OPERATIONS:
            if name.split()[0] not in called:
                self.step(calls, name)

    def step(self, number: int, name: str = "") -> None:
        """Make one call, of an operation that is drawn unless its name is given."""
        random = self.random
        area = self.areas[random.integers(len(self.areas))]
        wild = np.zeros(area.pages, bool)
        stormy = random.random() < STORMY and area.whole == 1 and not area.held
        if stormy:
            wild = np.arange(area.pages) // int(random.choice([1, 5, 64])) % 2 == 1
        array, pages, nbytes = self.part(area)
        name = name or str(random.choice(list(OPERATIONS), p=self.weights))
        asked = Asked(area, array, pages, nbytes, wild)
        stop = threading.Event()
        with contextlib.ExitStack() as storm:
            if stormy:
                seed = np.random.default_rng(int(random.integers(1 << 62)))
                which = np.flatnonzero(wild)
                storm.enter_context(meanwhile(disturb, area, which, stop.is_set, seed))
                storm.callback(stop.set)
            how = OPERATIONS[name][1](asked, random, self.ids)
        if stormy:
            self.settle(area, wild)
        now = Look(area.array) if stormy else asked.after
        whole = number % WHOLE_CHECK_EVERY == 0
        asked.lies += check_contents(area, now, np.zeros_like(wild), whole=whole)
        self.pages += len(pages)
        self.counts[f"{name} {how}".strip() + " in a storm" * stormy] += 1
        label = f"call {number}, {name} {how}, {area.name}" + " in a storm" * stormy
        if asked.lies:
            print(f"{label}: {asked.lies[0]}", flush=True)
        self.lies += [f"{label}: {each}" for each in asked.lies]
        self.idle += [f"{label}: {each}" for each in asked.idle]

    def settle(self, area: Area, wild: np.ndarray) -> None:
        """Map all wild pages anew, so that their state is known again."""
        for first in np.flatnonzero(wild & ~np.concatenate(([False], wild[:-1]))).tolist():
            last = first + int(np.argmin([*wild[first:], False]))
            area.map(area.part(first, last).ctypes.data, first, last - first)
            area.shadow[first * PAGE : last * PAGE] = 0
            if area.shared:
                area.part(first, last)[:] = 0
        for state in (area.gone, area.guarded, area.locked):
            state[wild] = False
        area.open[wild] = True
        # One mapping again: with a thousand, the package would read a thousand lines for each call.
        with contextlib.suppress(OSError):
            system.succeed(system.libc.mprotect(area.array.ctypes.data, area.array.nbytes, PROT_RW))
            advise(area.array, mmap.MADV_NOHUGEPAGE)

    def part(self, area: Area) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return an array within an area, its pages, and its number of bytes in each."""
        random = self.random
        draw = random.random()
        first, last = sorted(random.integers(0, area.array.nbytes, 2).tolist())
        if draw < 0.3:
            first, last = 0, area.array.nbytes
        array = area.array[first : last + 1]
        if draw < 0.7 or array.nbytes < 4 * PAGE:
            return array, *self.pages_of(area, [(first, first + array.nbytes)])
        # Part of each row of a matrix, so that some pages may hold none of its bytes.
        row = int(random.choice([PAGE // 2, PAGE, 3 * PAGE + 100, 40 * PAGE]))
        count = max(array.nbytes // row, 1)
        row = min(row, array.nbytes)
        width = int(random.integers(1, row + 1))
        matrix = array[: count * row].reshape(count, row)[:, :width]
        spans = [(first + i * row, first + i * row + width) for i in range(count)]
        return (matrix.T if draw > 0.85 else matrix), *self.pages_of(area, spans)

    @staticmethod
    def pages_of(area: Area, spans: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
        """Return the pages that hold bytes of some spans, and the number of those bytes in each."""
        first, last = np.array(spans).T
        before = np.concatenate(([0], np.cumsum(last - first)))
        edges = np.arange(area.pages + 1) * PAGE
        span = np.searchsorted(first, edges, "right") - 1
        inside = np.clip(edges - first[span], 0, (last - first)[span])
        held = np.diff(np.where(span < 0, 0, before[span] + inside))
        pages = np.flatnonzero(held)
        return pages, held[pages]


@pytest.fixture
def walk_areas(two_nodes, need_root):
    """Make areas of every kind that is possible here, alternating between the first two nodes."""
    if not os.path.exists("/proc/kpageflags"):
        pytest.skip("needs /proc/kpageflags, which shows the pages of a huge page")
    ids = nodes.allowed()
    made = []
    with contextlib.ExitStack() as stack:
        for number, (name, make) in enumerate(AREAS.items()):
            with contextlib.ExitStack() as own:
                try:
                    made.append(make(own, name, number, ids[number % 2]))
                except CannotMakeError as error:
                    print(f"no memory of the kind '{name}': {error}")
                    continue
                stack.enter_context(own.pop_all())
        yield made


def walk(areas, calls, seed):
    """Walk, print a summary, and fail on a false report."""
    start = time.monotonic()
    one = Walk(areas, list(nodes.allowed()), seed)
    fewest = page_query.FEWEST_PAGES
    try:
        one.run(calls)
    finally:
        page_query.FEWEST_PAGES = fewest
    print(
        f"walk of {calls} calls, seed {seed}, {len(areas)} areas: {one.pages} statuses checked,"
        f" {len(one.lies)} false reports, {len(one.idle)} idle, {time.monotonic() - start:.0f} s"
    )
    for counts in (one.counts, one.changes):
        print("  " + ", ".join(f"{name or 'none'} {n}" for name, n in sorted(counts.items())))
    summary = "\n".join(one.lies[:20])
    print("\n".join(one.idle[:20]))
    assert not one.lies, f"seed {seed}: {len(one.lies)} false reports in {calls} calls:\n{summary}"
    return one


def test_nothing_is_misreported(walk_areas, walk_length):
    calls, seed = walk_length
    one = walk(walk_areas, calls, seed)
    assert {name.split()[0] for name in one.counts} == {name.split()[0] for name in OPERATIONS}
