"""Measure the cost of queries: where() and move_pages() against the bare call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from unittest.mock import patch

import numpy as np

import binding
import movepages as mp
from harness import memory
from harness.contenders import by_c, by_libnuma, by_lists, by_movepages, libnuma, timed
from harness.contest import (
    Bound,
    Line,
    Rounds,
    Row,
    Skip,
    faster,
    in_words,
    query_rounds,
    take_turns,
)
from harness.rights import without_admin
from movepages.query import smaps_shortcut

WHERE_HUGE, WHERE_SMALL, WHERE_ADMIN, RANDOM_ORDER = 150, 1.6, 4, 1.3
WHERE_HUGE_COUNTED = 20
SPARSE_SECONDS, SPARSE_MIB = 0.5, 32


@dataclass(frozen=True)
class Sizes:
    """The memory sizes of the cases, in bytes, and the number of rounds."""

    size: int
    sparse: int
    move: int
    rounds: int

    @property
    def one_page_calls(self) -> int:
        return 20_000 if self.size > 1 << 28 else 500


def in_bytes(nbytes: int) -> str:
    """Return a size in the largest unit that divides it."""
    for unit, shift in (("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if nbytes and nbytes % (1 << shift) == 0:
            return f"{nbytes >> shift:,} {unit}"
    return f"{nbytes:,} bytes"


@dataclass(frozen=True)
class Look:
    """A way to call where(): how often, and whether a first call warms the caches.

    The previous contender leaves nothing useful in the caches. The bare call on each page takes so
    long that warm caches make no difference to it.
    """

    where: Callable[[], mp.Placement]
    calls: int = 1
    warm: bool = False


def where_rounds(array: np.ndarray, ways: dict[str, Look], rounds: int) -> Rounds:
    """Let where() and bare calls on each small page take turns, and compare the statuses."""
    pages = memory.pages_of(array)
    status = np.full(len(pages), mp.PageStatus.NOT_ATTEMPTED, np.int32)
    shared = status.copy()
    found: dict[str, mp.Placement] = {}

    def turn(name: str, way: Look) -> Callable[[], float]:
        def look() -> None:
            found[name] = way.where()

        def measure() -> float:
            if way.warm:
                look()
            return timed(look, way.calls)

        return measure

    def check() -> None:
        assert (status >= 0).all(), "some pages are no longer present"
        for name, placement in found.items():
            assert np.array_equal(placement.status, status), f"{name} and C differ"
        assert np.array_equal(shared, status)
        status.fill(mp.PageStatus.NOT_ATTEMPTED)
        shared.fill(mp.PageStatus.NOT_ATTEMPTED)

    turns = {
        "C": lambda: by_c(pages, None, status),
        "C on all CPUs": lambda: timed(lambda: by_c_on_all_cpus(pages, shared)),
        **{name: turn(name, way) for name, way in ways.items()},
    }
    return take_turns(turns, rounds, check)


def by_c_on_all_cpus(pages: np.ndarray, status: np.ndarray) -> None:
    """Split a query among threads, to see how much threads gain on this machine."""
    count = len(os.sched_getaffinity(0))
    parts = zip(np.array_split(pages, count), np.array_split(status, count), strict=True)
    threads = [threading.Thread(target=by_c, args=(page, None, told)) for page, told in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def huge_array(nbytes: int, name: str) -> np.ndarray | Skip:
    """Return an array that consists of huge pages, or a Skip that says why there is none."""
    if not memory.huge_page_size():
        return Skip(
            name, "needs transparent huge pages, which this kernel does not give to a process"
        )
    array = memory.huge_pages(nbytes)
    if memory.huge_bytes(array) < array.nbytes:
        return Skip(name, f"the kernel did not give all of {in_bytes(array.nbytes)} as huge pages")
    return array


def where_huge(sizes: Sizes) -> list[Line]:
    name = f"where() of {in_bytes(sizes.size)} of huge pages: C on each small page / movepages"
    array = huge_array(sizes.size, name)
    if isinstance(array, Skip):
        return [array]
    ways = {
        "movepages": Look(lambda: mp.where(array), calls=10),
        "movepages, caches warm": Look(lambda: mp.where(array), calls=10, warm=True),
    }
    rounds = where_rounds(array, ways, sizes.rounds)
    return [
        faster(name, rounds, "C", "movepages", WHERE_HUGE),
        faster(f"{name}, caches warm", rounds, "C", "movepages, caches warm"),
    ]


def where_huge_counted(sizes: Sizes) -> list[Line]:
    """Take the way of kernels before 6.7, which count huge pages but do not report where they are.

    Two readings of /proc/self/smaps take a few ms, so the bound holds for 4 GiB or more.
    """
    name = f"where() of {in_bytes(sizes.size)} of huge pages by counts: C on each page / movepages"
    array = huge_array(sizes.size, name)
    if isinstance(array, Skip):
        return [array]

    def counted() -> mp.Placement:
        with patch.object(smaps_shortcut, "kernel_scans", lambda: False):
            return mp.where(array)

    rounds = where_rounds(array, {"movepages": Look(counted)}, sizes.rounds)
    large = sizes.size >= 4 << 30
    return [faster(name, rounds, "C", "movepages", WHERE_HUGE_COUNTED if large else None)]


def where_small(sizes: Sizes) -> list[Line]:
    array = memory.small_pages(sizes.size)

    def unprivileged() -> mp.Placement:
        with without_admin():
            return mp.where(array)

    ways = {
        "unprivileged": Look(unprivileged),
        "each asked": Look(lambda: mp.where(array, shortcuts=False)),
        "one thread": Look(lambda: mp.where(array, threads=1, shortcuts=False)),
    }
    privileged = mp._core.shows_frame_numbers()
    if privileged:
        ways["CAP_SYS_ADMIN"] = Look(lambda: mp.where(array))
    rounds = where_rounds(array, ways, sizes.rounds)
    name = f"where() of {in_bytes(sizes.size)} of small pages"
    admin = f"{name}, with CAP_SYS_ADMIN: C / movepages"
    return [
        faster(f"{name}, unprivileged: C / movepages", rounds, "C", "unprivileged", WHERE_SMALL),
        faster(admin, rounds, "C", "CAP_SYS_ADMIN", WHERE_ADMIN)
        if privileged
        else Skip(admin, "needs CAP_SYS_ADMIN in the first user namespace"),
        faster(f"{name}, each page queried: C / movepages", rounds, "C", "each asked"),
        faster(f"{name}, each page queried, one thread: C / movepages", rounds, "C", "one thread"),
        faster(f"{name}: C / C on all CPUs", rounds, "C", "C on all CPUs"),
    ]


def sparse(sizes: Sizes) -> list[Line]:
    script = Path(__file__).parents[1] / "sparse.py"
    command = [sys.executable, script, str(sizes.sparse), str(sizes.rounds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(done.stdout)
    lines: list[Line] = []
    for work, seconds in told["seconds"].items():
        name = f"{work} of {in_bytes(sizes.sparse)} with {told['present']:,} pages in it"
        theirs = f"C on these pages only {in_words(median(told['c_seconds']))}"
        grown = told["grown"][work] / (1 << 20)
        lines += [
            Row(f"{name}: seconds", median(seconds), "s", Bound("<", SPARSE_SECONDS), theirs),
            Row(f"{name}: growth of the peak memory", grown, "MiB", Bound("<", SPARSE_MIB)),
        ]
    return lines


def random_order(sizes: Sizes) -> list[Line]:
    array = memory.small_pages(sizes.size)
    pages = np.random.default_rng(0).permutation(memory.pages_of(array))
    rounds = query_rounds(pages, {"movepages": by_movepages}, sizes.rounds)
    name = f"query of {len(pages):,} small pages in random order: C / movepages"
    return [faster(name, rounds, "C", "movepages", RANDOM_ORDER)]


def bare_binding(sizes: Sizes) -> list[Line]:
    count = sizes.size // memory.PAGE
    return list(binding.rows(binding.measure(count, sizes.rounds, sizes.one_page_calls)))


def other_bindings(sizes: Sizes) -> list[Line]:
    """Compare movepages with ctypes on lists, and with libnuma."""
    array = memory.small_pages(min(sizes.size, 1 << 28))
    pages = memory.pages_of(array)
    ways = {"movepages": by_movepages, "ctypes on lists": by_lists}
    if libnuma() is not None:
        ways["libnuma"] = by_libnuma
    many = query_rounds(pages, ways, sizes.rounds)
    one = query_rounds(pages[:1].copy(), ways, sizes.rounds, sizes.one_page_calls)
    lines: list[Line] = []
    for count, rounds in ((len(pages), many), (1, one)):
        what = f"query of {count:,} page{'s' if count > 1 else ''}"
        lines.append(
            faster(f"{what}: ctypes on lists / movepages", rounds, "ctypes on lists", "movepages")
        )
        if "libnuma" in ways:
            name = f"{what}: libnuma by ctypes / movepages"
            lines.append(faster(name, rounds, "libnuma", "movepages"))
    if "libnuma" not in ways:
        lines.append(Skip("libnuma by ctypes / movepages", "needs libnuma.so.1"))
    return lines


QUERIES = (where_huge, where_huge_counted, where_small, sparse, random_order)
BINDING = (bare_binding, other_bindings)
