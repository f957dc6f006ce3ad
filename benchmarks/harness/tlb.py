"""TLB shootdowns: interrupts that one CPU sends to the others because pages moved."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.contenders import baseline


def shootdowns() -> int | None:
    """Return the number of shootdowns since boot, or None if the kernel does not count them."""
    for line in Path("/proc/interrupts").read_text().splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == "TLB":
            return sum(int(word) for word in counts.split() if word.isdigit())
    return None


def shootdowns_of(call: Callable[[], object]) -> float:
    """Return the number of shootdowns during a call."""
    before = shootdowns() or 0
    call()
    return (shootdowns() or 0) - before


def why_not() -> str:
    """Return why shootdowns cannot be counted here, or an empty string if they can."""
    if len(os.sched_getaffinity(0)) < 2:
        return "needs two CPUs"
    if shootdowns() is None:
        return "needs a TLB line in /proc/interrupts"
    return ""


@contextmanager
def busy_elsewhere() -> Iterator[None]:
    """Keep another CPU busy in this address space, and pin this thread to its own CPU."""
    allowed = os.sched_getaffinity(0)
    here, there = sorted(allowed)[:2]
    stop = ctypes.c_int(0)

    def spin() -> None:
        os.sched_setaffinity(0, {there})
        baseline().spin(ctypes.byref(stop))

    thread = threading.Thread(target=spin)
    thread.start()
    os.sched_setaffinity(0, {here})
    try:
        yield
    finally:
        stop.value = 1
        thread.join()
        os.sched_setaffinity(0, allowed)
