"""Measure where(), plan() and move() of few pages in a huge mapping, in a process of its own.

For each, print the time and the growth of the peak memory.

    python benchmarks/sparse.py BYTES ROUNDS

The peak is read from VmHWM. The peak of getrusage(2) starts at that of the parent process, and
would hide any growth below it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import movepages as mp
from harness import memory
from harness.contenders import by_c

PRESENT = 1000


def peak_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no VmHWM in /proc/self/status")


def main() -> None:
    nbytes, rounds = map(int, sys.argv[1:])
    array = memory.mapped(nbytes, flags=memory.PRIVATE | memory.MAP_NORESERVE)
    whole = nbytes // memory.PAGE
    random = np.random.default_rng(0)
    numbers = np.unique(random.integers(0, whole, min(PRESENT, whole // 2)))
    array[numbers * memory.PAGE] = 1
    pages = np.uintp(array.ctypes.data) + numbers.astype(np.uintp) * np.uintp(memory.PAGE)
    status = np.empty(len(pages), np.int32)
    theirs: list[float] = []
    ours: dict[str, list[float]] = {}
    grown: dict[str, int] = {}
    # Memory that a first call adds, such as code, is not part of the growth.
    mp.where(array[: 1 << 20])
    by_c(pages, None, status)
    before = peak_bytes()

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        found = work()
        ours.setdefault(name, []).append(time.perf_counter() - start)
        grown[name] = peak_bytes() - before
        return found

    for _ in range(rounds):
        p = timed("where()", lambda: mp.where(array))
        theirs.append(by_c(pages, None, status))
        held = p.runs[p.runs["status"] >= 0]
        firsts = np.repeat(held["address"], held["pages"])
        within = np.arange(len(firsts)) - np.repeat(
            np.cumsum(held["pages"]) - held["pages"], held["pages"]
        )
        assert np.array_equal(firsts + within.astype(np.uintp) * np.uintp(memory.PAGE), pages)
        assert np.array_equal(np.repeat(held["status"], held["pages"]), status)
        assert (p.pages, p.absent_pages) == (whole, whole - len(pages))
        # Plan and move the pages to their own nodes, with a node for each page and with one for
        # all.
        for name, target in (("as it was", p), ("to one node", int(status[0]))):
            q = timed(f"plan() {name}", lambda target=target: mp.plan(array, target))
            assert q.absent == whole - len(pages)
            r = timed(f"move() {name}", lambda target=target: mp.move(array, target))
            assert r.runs["pages"].sum() == whole
    told = {"present": len(pages), "seconds": ours, "c_seconds": theirs, "grown": grown}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
