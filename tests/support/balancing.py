"""Automatic NUMA balancing at a faster pace, and the pages that it hides before Linux 6.6."""

import contextlib
import ctypes
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from . import memory, system, witness

HIDES = tuple(map(int, platform.release().split(".")[:2])) < (6, 6)
_SWITCH = Path("/proc/sys/kernel/numa_balancing")
_KNOBS = Path("/sys/kernel/debug/sched/numa_balancing")
_HASTE = {"scan_delay_ms": 1, "scan_period_min_ms": 10, "scan_period_max_ms": 20}
_REST = {"scan_delay_ms": 3_600_000}
# The kernel counts the CPU time of the thread, of which a slow machine gives little.
_SECONDS = 180


def needs() -> str:
    """Return what is missing here to speed balancing up, '' if nothing is."""
    there = _SWITCH.exists() and _KNOBS.exists()
    return "" if there else f"automatic NUMA balancing, with its knobs at {_KNOBS}"


@contextlib.contextmanager
def hurried() -> Iterator[None]:
    """Make the kernel scan every few milliseconds. Needs root."""
    with _on_with(_HASTE):
        yield


@contextlib.contextmanager
def resting() -> Iterator[None]:
    """Switch balancing on, which leaves processes that start within the block alone. Needs root."""
    with _on_with(_REST):
        yield


@contextlib.contextmanager
def _on_with(knobs: dict[str, int]) -> Iterator[None]:
    before = {path: path.read_text() for path in [_SWITCH, *(_KNOBS / name for name in knobs)]}
    try:
        _SWITCH.write_text("1")
        for name, value in knobs.items():
            (_KNOBS / name).write_text(str(value))
        yield
    finally:
        for path, text in before.items():
            path.write_text(text)


@contextlib.contextmanager
def switched(value: str) -> Iterator[None]:
    """Switch balancing on ("1") or off ("0") within a block. Needs root, except where it is so."""
    before = _SWITCH.read_text().strip() if _SWITCH.exists() else "0"
    if before == value:
        yield
        return
    try:
        _SWITCH.write_text(value)
        yield
    finally:
        _SWITCH.write_text(before)


def bare_call(pages: np.ndarray, nodes: np.ndarray | None = None, pid: int = 0) -> np.ndarray:
    """Return the statuses of one move_pages(2) as the kernel wrote them."""
    status = np.full(len(pages), 77, np.int32)
    arrays = (ctypes.c_void_p(None if a is None else a.ctypes.data) for a in (pages, nodes, status))
    system.syscall(system.SYS_MOVE_PAGES, pid, len(pages), *arrays, 0)
    return status


def hidden(pages: np.ndarray, pid: int = 0) -> np.ndarray:
    """Return which pages are present by /proc/PID/pagemap and absent by the bare call."""
    return witness.present(pages, pid or "self") & (bare_call(pages, pid=pid) < 0)


def watched(node: int, huge: bool) -> np.ndarray:
    """Return memory that the kernel has just hidden in part, if it is a kernel that hides pages."""
    system.syscall(system.SYS_SET_MEMPOLICY, system.MPOL_DEFAULT, None, 0)
    a = memory.anonymous(8 << 20, huge=huge)
    memory.touch(a)
    every = memory.pages_of(a)
    # Balancing does not watch small pages on the node of a lone thread: it would gain nothing.
    bare_call(every, np.full(len(every), node, np.int32))
    pages = every[:: 64 if huge else 16]
    until = time.monotonic() + (_SECONDS if HIDES else 1)
    while time.monotonic() < until and not hidden(pages).any():
        sum(range(200_000))
    assert hidden(pages).any() == HIDES
    return a
