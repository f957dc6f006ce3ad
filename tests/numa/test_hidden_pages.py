"""Automatic NUMA balancing at work: before Linux 6.6 the kernel calls pages absent that it watches.

The other tests keep balancing away; here a child process has it to itself, hurried on.
"""

import ctypes
import platform
import time
from pathlib import Path

import numpy as np
import pytest

import movepages as mp
from support import memory, system, witness
from support.processes import child

HIDES = tuple(map(int, platform.release().split(".")[:2])) < (6, 6)
HASTE = {"scan_delay_ms": 1, "scan_period_min_ms": 10, "scan_period_max_ms": 20}
SECONDS = 20


@pytest.fixture
def hurried_balancing(two_nodes, need_root):
    switch = Path("/proc/sys/kernel/numa_balancing")
    knobs = Path("/sys/kernel/debug/sched/numa_balancing")
    if not switch.exists() or not knobs.exists():
        pytest.skip(f"needs automatic NUMA balancing, with its knobs at {knobs}")
    before = {path: path.read_text() for path in [switch, *(knobs / name for name in HASTE)]}
    try:
        switch.write_text("1")
        for name, value in HASTE.items():
            (knobs / name).write_text(str(value))
        yield
    finally:
        for path, text in before.items():
            path.write_text(text)


def bare_call(pages, nodes=None):
    status = np.full(len(pages), 77, np.int32)
    arrays = (ctypes.c_void_p(None if a is None else a.ctypes.data) for a in (pages, nodes, status))
    system.syscall(system.SYS_MOVE_PAGES, 0, len(pages), *arrays, 0)
    return status


def hidden(pages):
    """Return which pages are present by /proc/self/pagemap and absent by the bare call."""
    return witness.present(pages) & (bare_call(pages) < 0)


def watched(node, huge):
    """Return memory of which the kernel has just hidden a part, if it is one that hides."""
    system.syscall(system.SYS_SET_MEMPOLICY, system.MPOL_DEFAULT, None, 0)
    a = memory.anonymous(8 << 20, huge=huge)
    memory.touch(a)
    every = memory.pages_of(a)
    # Small pages on the node of a lone thread are not watched: there is nothing to gain.
    bare_call(every, np.full(len(every), node, np.int32))
    pages = every[:: 64 if huge else 16]
    until = time.monotonic() + (SECONDS if HIDES else 1)
    while time.monotonic() < until and not hidden(pages).any():
        sum(range(200_000))
    assert hidden(pages).any() == HIDES
    return a


def look_and_move(far, nodes, huge):
    p = mp.where(watched(far, huge))
    assert p.absent_pages == 0
    assert sum(p.bytes_per_node.values()) == p.nbytes
    results = []
    for node in nodes:
        a = watched(far, huge)
        r = mp.move(a, node)
        results.append((r.pages, r.moved + r.already_there, dict(r.failures)))
        assert (a[:: memory.PAGE] == np.arange(r.pages) % 251).all()
    return results


@pytest.mark.parametrize("huge", [False, True], ids=["small pages", "huge pages"])
def test_watched_pages_are_seen_and_moved(hurried_balancing, two_nodes, memory_only_node, huge):
    with child(look_and_move, memory_only_node, two_nodes, huge) as one:
        for pages, on_target, failures in one.result:
            assert (on_target, failures) == (pages, {})


def absent_while_watched(far):
    a = watched(far, huge=False)
    memory.discard(a[: 1 << 20])
    fresh, zeros = memory.anonymous(1 << 20), memory.anonymous(1 << 20)
    assert zeros.sum() == 0
    return [mp.where(each).absent_bytes for each in (a, fresh, zeros)]


def test_what_is_absent_stays_absent(hurried_balancing, memory_only_node):
    """A hole, untouched memory and the zero page are not taken for hidden ones."""
    with child(absent_while_watched, memory_only_node) as one:
        assert one.result == [1 << 20] * 3
