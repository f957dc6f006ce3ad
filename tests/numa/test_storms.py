"""Moves while a process dies, or while mappings are unmapped and mapped again.

Whatever happens, the call ends, and what it reports is true.
"""

import ctypes
import mmap
import os
import signal
import threading
import time

import numpy as np
import pytest

import movepages as mp
from support import memory, nodes, system, witness
from support.kinds_frames import ABSENT, frames_of, nodes_of_frames, zero_frame
from support.kinds_frames import nodes_of as nodes_by_frame
from support.memory import PAGE
from support.processes import child
from support.storm import PATIENCE_S, meanwhile, targets

BUSY, NOT_ATTEMPTED = mp.PageStatus.EBUSY, mp.PageStatus.NOT_ATTEMPTED
GONE = (mp.PageStatus.ENOENT, mp.PageStatus.EFAULT)
UNTOUCHED = 77
PAGES = 2048
_PROT_RW = mmap.PROT_READ | mmap.PROT_WRITE
_MAP_FIXED = 0x10


@pytest.fixture
def here_and_there(two_nodes, need_root):
    here, there, *_ = nodes.allowed()
    return here, there


def kill_after(pid, seconds):
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)


def move_of_dying(pid, pages, target, by_array, threads):
    """Return the status of each page, and the error that ended the move, if any."""
    status = np.full(len(pages), UNTOUCHED, np.int32)
    try:
        if by_array:
            region = mp.Region(int(pages[0]), len(pages) * PAGE, pid=pid)
            return mp.move(region, target, threads=threads).status, None
        return mp.move_pages(pages, target, status, pid=pid), None
    except mp.MovePagesError as error:
        return error.result.status if by_array else error.status, error


def test_the_process_dies_while_its_pages_move(here_and_there, storm):
    here, there = here_and_there
    runs, seed = storm
    random = np.random.default_rng(seed)
    usual, cut_short = 0.05, 0
    for run in range(runs):
        # Only the child touches it. It is shared, so its pages can be seen after the child's death.
        a = memory.anonymous(PAGES * PAGE, shared=True)
        memory.bind(a, here)
        pages = memory.pages_of(a)
        target, each = targets(random, here, there, PAGES)
        by_array, threads = bool(run % 2), 1 + run // 2 % 3
        delay = random.random() * 1.2 * usual
        with child(memory.touch, a) as one:
            assert (nodes_by_frame(pages, one.pid) == here).all()
            start = time.perf_counter()
            with meanwhile(kill_after, one.pid, delay):
                status, error = move_of_dying(one.pid, pages, target, by_array, threads)
                took = time.perf_counter() - start
        assert took < PATIENCE_S
        label = f"seed {seed}, run {run}, {by_array=}, {threads=}, {type(target).__name__}"
        if error is None:
            usual = took
        else:
            cut_short += 1
            assert isinstance(error, ProcessLookupError | ValueError), f"{label}: {error!r}"
        found = witness.nodes_of(pages)
        check_of_dead(status, each, found, here, label, ended=error is not None)
        assert (a[::PAGE] == np.arange(PAGES) % 251).all(), label
    assert cut_short > 0, f"none of {runs} moves was cut short: the storm tested nothing"


def check_of_dead(status, target, found, here, label, *, ended):
    """Compare what was reported about a dead process with where its pages are."""
    placed = status >= 0
    assert np.array_equal(status[placed], target[placed]), label
    assert np.array_equal(found[placed], target[placed]), label
    left = ~placed & (status != NOT_ATTEMPTED)
    assert set(status[left].tolist()) <= {BUSY}, label
    assert (found[left] != target[left]).all(), label
    if not ended:
        assert placed.all(), label
    elif len(set(target.tolist())) == 1:
        # With several targets, a dead process cannot be queried again; with one, all is known.
        assert (found[status == NOT_ATTEMPTED] == here).all(), label


def remap(a, odd, stop, random):
    """Unmap and map anew pages of an array, only those at `odd` indices, until told to stop."""
    while not stop.is_set():
        index = int(random.choice(odd))
        address = ctypes.c_void_p(a.ctypes.data + index * PAGE)
        how = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_FIXED
        if random.random() < 0.5:
            system.succeed(system.libc.munmap(address, PAGE))
        mapped = system.libc.mmap(address, PAGE, _PROT_RW, how, -1, 0)
        assert mapped == address.value
        if random.random() < 0.5:
            ctypes.memset(address, 1, 1)


def test_mappings_change_while_their_pages_move(here_and_there, storm):
    here, there = here_and_there
    runs, seed = storm
    count = 1024
    for run in range(runs):
        random = np.random.default_rng([seed, run])
        a = memory.anonymous(count * PAGE, node=here)
        pages = memory.pages_of(a)
        target, each = targets(random, here, there, count)
        odd = np.flatnonzero(np.arange(count) // int(random.choice([1, 5, 64])) % 2)
        even = np.setdiff1d(np.arange(count), odd)
        stop = threading.Event()
        label = f"seed {seed}, run {run}"
        start = time.perf_counter()
        with meanwhile(remap, a, odd, stop, np.random.default_rng([seed, run, 1])):
            try:
                if run % 2:
                    status = mp.move(a, target, threads=1 + run // 2 % 3).status
                else:
                    status = mp.move_pages(pages, target)
                seen = mp.where(a).status
            finally:
                stop.set()
        assert time.perf_counter() - start < PATIENCE_S, label
        # Pages that no other thread touches are on their targets, and are reported there.
        assert np.array_equal(witness.nodes_of(pages[even]), each[even]), label
        assert np.array_equal(status[even], each[even]), label
        assert np.array_equal(seen[even], each[even]), label
        assert (a[::PAGE][even] == even % 251).all(), label
        # For the others, one of two answers is right: the node of the target, or absent.
        placed = status[odd] >= 0
        assert np.array_equal(status[odd][placed], each[odd][placed]), label
        assert set(status[odd][~placed].tolist()) <= {BUSY, *GONE}, label
        # The zero page may be mapped there: it has a frame number, and is on no node.
        frames = frames_of(pages)
        found = np.where(frames == zero_frame(), ABSENT, nodes_of_frames(frames))
        after = mp.where(a).status
        assert np.array_equal(np.where(after < 0, ABSENT, after), found), label
