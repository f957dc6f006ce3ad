"""What the binding costs: queries by movepages, by C and by ctypes, in turn in one process.

    python benchmarks/binding.py            # the table
    python benchmarks/binding.py --check    # and exit 1 where a bound does not hold
    python benchmarks/binding.py --json

Each figure is the median over rounds in which the contenders take turns, so that a change in the
machine's speed meets all of them; a ratio is taken within its round. In every round the answers of
all contenders are compared.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import mmap
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

import movepages as mp

SYS_MOVE_PAGES = {"x86_64": 279, "aarch64": 239}
LARGE_RATIO, SMALL_EXCESS_US, CTYPES_RATIO = 1.02, 1.5, 3.0


def build_baseline(folder: str) -> ctypes.CDLL:
    library = Path(folder) / "baseline.so"
    source = Path(__file__).with_name("baseline.c")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    baseline = ctypes.CDLL(str(library))
    baseline.time_queries.restype = ctypes.c_double
    baseline.time_queries.argtypes = [
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_long,
    ]  # fmt: skip
    return baseline


def small_pages(count: int) -> tuple[mmap.mmap, np.ndarray]:
    """Return `count` present pages of the system's page size, none of them part of a huge page."""
    memory = mmap.mmap(-1, count * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    flat = np.frombuffer(memory, np.uint8)
    flat[:: mmap.PAGESIZE] = 1
    start = flat.ctypes.data
    return memory, np.arange(start, start + len(flat), mmap.PAGESIZE, dtype=np.uintp)


class Contest:
    """One set of pages, asked for by each contender into a status array of its own."""

    def __init__(self, baseline: ctypes.CDLL, pages: np.ndarray, calls: int) -> None:
        self.pages, self.calls = pages, calls
        self.status = {
            name: np.empty(len(pages), np.int32) for name in ("C", "movepages", "ctypes")
        }
        self.baseline = baseline
        self.syscall = ctypes.CDLL(None, use_errno=True).syscall

    def c(self) -> float:
        return self.baseline.time_queries(
            self.pages.ctypes.data, self.status["C"].ctypes.data, len(self.pages), self.calls
        )

    def movepages(self) -> float:
        pages, status, move_pages = self.pages, self.status["movepages"], mp.move_pages
        return timed(lambda: move_pages(pages, None, status), self.calls)

    def ctypes(self) -> float:
        pages, status, syscall, number = (
            self.pages, self.status["ctypes"], self.syscall, SYS_MOVE_PAGES[platform.machine()],
        )  # fmt: skip
        pointer, as_long = ctypes.c_void_p, ctypes.c_ulong

        def query() -> None:
            syscall(
                number, 0, as_long(len(pages)), pages.ctypes.data_as(pointer), None,
                status.ctypes.data_as(pointer), mp.MPOL_MF_MOVE,
            )  # fmt: skip

        return timed(query, self.calls)

    def round(self) -> dict[str, float]:
        """Return seconds a call, and hold the answers against each other."""
        for status in self.status.values():
            status.fill(mp.PageStatus.NOT_ATTEMPTED)
        took = {"C": self.c(), "movepages": self.movepages(), "ctypes": self.ctypes()}
        assert took["C"] >= 0, "the bare system call failed"
        assert (self.status["C"] >= 0).all(), "pages went away"
        for name, status in self.status.items():
            assert np.array_equal(status, self.status["C"]), f"{name} and C differ"
        return {name: seconds / self.calls for name, seconds in took.items()}


def timed(call: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return time.perf_counter() - start


def measure(count: int, rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        baseline = build_baseline(folder)
        _memory, pages = small_pages(count)
        one = Contest(baseline, pages[:1].copy(), calls=20_000)
        many = Contest(baseline, pages, calls=1)
        one.round(), many.round()
        small = [one.round() for _ in range(rounds)]
        large = [many.round() for _ in range(rounds)]
    return {
        "pages": count,
        "rounds": rounds,
        "many_ratio_to_c": median(r["movepages"] / r["C"] for r in large),
        "many_ns_per_page": median(r["movepages"] for r in large) / count * 1e9,
        "one_us": median(r["movepages"] for r in small) * 1e6,
        "one_c_us": median(r["C"] for r in small) * 1e6,
        "one_ctypes_us": median(r["ctypes"] for r in small) * 1e6,
        "one_us_above_c": median(r["movepages"] - r["C"] for r in small) * 1e6,
        "one_times_faster_than_ctypes": median(r["ctypes"] / r["movepages"] for r in small),
    }


def rows(figures: dict[str, float]) -> list[tuple[str, str, str, bool]]:
    large, above, faster = (
        figures["many_ratio_to_c"],
        figures["one_us_above_c"],
        figures["one_times_faster_than_ctypes"],
    )
    return [
        (f"query of {figures['pages']:,} pages / C", f"{large:.3f} x", f"<= {LARGE_RATIO} x",
         large <= LARGE_RATIO),
        ("query of one page - C", f"{above:.2f} us", f"<= {SMALL_EXCESS_US} us",
         above <= SMALL_EXCESS_US),
        ("query of one page: ctypes / movepages", f"{faster:.2f} x", f">= {CTYPES_RATIO} x",
         faster >= CTYPES_RATIO),
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--pages", type=int, default=1_000_000, help="pages of the large query")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--check", action="store_true", help="exit 1 where a bound does not hold")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.pages, options.rounds)
    table = rows(figures)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        for title, value, bound, holds in table:
            print(f"{title:44} {value:>10}   {bound:>10}   {'yes' if holds else 'NO'}")
        print(
            f"one page: C {figures['one_c_us']:.2f} us, movepages {figures['one_us']:.2f} us, "
            f"ctypes {figures['one_ctypes_us']:.2f} us; median of {figures['rounds']} rounds"
        )
    return 0 if not options.check or all(holds for *_, holds in table) else 1


if __name__ == "__main__":
    sys.exit(main())
