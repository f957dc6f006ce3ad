"""where() on huge pages of several nodes where the kernel only counts them, as before Linux 6.7."""

import contextlib
import mmap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import movepages as mp
from movepages.query import page_query, shortcuts, smaps_shortcut
from support import memory, nodes, system, witness
from support.kinds_kernel import settings
from support.memory import PAGE
from support.storm import PATIENCE_S, meanwhile
from support.swap import swap

COUNT = 12
MADV_COLD, MADV_PAGEOUT, MADV_COLLAPSE = 20, 21, 25
_THP = Path("/sys/kernel/mm/transparent_hugepage")


@pytest.fixture
def asked(monkeypatch):
    """Take the road of old kernels for any size; collect how many pages it asks by huge page."""
    monkeypatch.setattr(smaps_shortcut, "kernel_scans", lambda: False)
    monkeypatch.setattr(smaps_shortcut, "FEWEST_PAGES", 1)
    monkeypatch.setattr(shortcuts, "resident_pages", lambda _pid: 1)
    monkeypatch.setattr(smaps_shortcut, "_most_mappings", lambda _rows: 1 << 20)
    monkeypatch.setattr(page_query, "MANY_PAGES", 1)
    counts = []
    survey = page_query.survey_rows

    def count(addresses, pages, **how):
        if how["in_huge_pages"]:
            counts.append(int(pages.sum()))
        return survey(addresses, pages, **how)

    monkeypatch.setattr(page_query, "survey_rows", count)
    return counts


def spread(a, size):
    """Put the huge pages of an array on all nodes in turn, and return the node of each page."""
    heads = memory.pages_of(a, size)
    wanted = np.resize(np.array(nodes.allowed()[:3], np.int32), len(heads))
    assert np.array_equal(mp.move_pages(heads, wanted), wanted)
    return np.repeat(wanted, size // PAGE)


@pytest.fixture
def huge(two_nodes, huge_page_size):
    a = memory.anonymous(COUNT * huge_page_size, two_nodes[0], huge=True)
    assert witness.huge_bytes(a) == a.nbytes
    memory.keep_as_it_is(a)
    spread(a, huge_page_size)
    return a


def assert_true(a):
    """Compare each status with the witness, which faults absent pages in: they come last."""
    pages = memory.pages_of(a)
    p = mp.where(a)
    there = witness.present(pages)
    assert np.array_equal(p.status >= 0, there)
    assert np.array_equal(p.status[there], witness.nodes_of(pages[there]))
    return p


@pytest.mark.usefixtures("own_pid_as_another")
def test_each_huge_page_is_asked_once(huge, asked, huge_page_size):
    parts = huge, huge[PAGE:-PAGE], huge[huge_page_size // 2 + 9 :]
    for part in parts:
        assert_true(part)
    assert asked == [len(memory.pages_of(part)) for part in parts]


def test_one_page_given_back(huge, asked, huge_page_size):
    memory.discard(huge[5 * huge_page_size + 7 * PAGE :][:PAGE])
    assert assert_true(huge).absent_pages == 1
    assert asked == []


def test_one_page_that_cannot_be_written(huge, asked, huge_page_size):
    """It splits its huge page, and its mapping: huge pages are counted on both sides of it."""
    page = huge[5 * huge_page_size + 7 * PAGE :][:PAGE]
    system.succeed(system.libc.mprotect(page.ctypes.data, PAGE, mmap.PROT_READ))
    pieces = memory.pages_of(huge[5 * huge_page_size :][:huge_page_size])
    mp.move_pages(pieces[100:], nodes.allowed()[1])
    assert_true(huge)
    assert asked == [(COUNT - 1) * huge_page_size // PAGE]


def test_small_pages_among_huge_ones(huge, asked, huge_page_size):
    """The kernel does not tell which are which: the mapping has room for more huge pages."""
    part = huge[2 * huge_page_size : 3 * huge_page_size]
    memory.discard(part)
    memory.touch(part)
    mp.move_pages(memory.pages_of(part)[::2].copy(), nodes.allowed()[1])
    assert_true(huge)
    assert asked == []


def test_absent_huge_pages(huge, asked, huge_page_size):
    memory.discard(huge[2 * huge_page_size : 4 * huge_page_size])
    p = assert_true(huge)
    assert p.absent_pages == 2 * huge_page_size // PAGE
    assert asked == [len(huge) // PAGE]


def test_swapped_out(need_root, huge, asked, huge_page_size):
    with swap():
        out = huge[3 * huge_page_size : 4 * huge_page_size]
        # Where the kernel splits a huge page to swap it out, it drops pages that hold only zeros.
        out[1::PAGE] = 1
        until = time.monotonic() + PATIENCE_S
        while witness.present(memory.pages_of(out)).any() and time.monotonic() < until:
            system.succeed(system.libc.madvise(out.ctypes.data, out.nbytes, MADV_PAGEOUT))
        p = mp.where(huge)
        assert p.absent_pages > 0
        assert_true(huge)
        per = huge_page_size // PAGE
        assert np.array_equal(out[::PAGE], np.arange(3 * per, 4 * per) % 251)


def test_shared_memory(need_root, two_nodes, asked, huge_page_size):
    if not (_THP / "shmem_enabled").exists():
        pytest.skip("needs huge pages of shared memory")
    with settings({_THP / "shmem_enabled": "advise"}):
        a = memory.anonymous(COUNT * huge_page_size, two_nodes[0], shared=True, huge=True)
        spread(a, huge_page_size)
        assert_true(a)
        assert asked == [len(a) // PAGE]
        # The kernel unmaps the whole huge page, which stays in memory.
        part = a[2 * huge_page_size :][:huge_page_size]
        memory.discard(part[PAGE : 3 * PAGE])
        assert_true(a)
        part[9 * PAGE] = 1
        assert_true(a)


def test_hugetlb(need_root, two_nodes, asked, huge_page_size):
    pools = Path("/sys/devices/system/node").glob(
        f"node*/hugepages/hugepages-{huge_page_size // 1024}kB/nr_hugepages"
    )
    with settings(dict.fromkeys(pools, "4")):
        try:
            a = mp.empty(4 * huge_page_size, np.uint8, huge="hugetlb")
        except MemoryError as error:
            pytest.skip(f"needs free pages of hugetlbfs: {error}")
        memory.touch(a)
        spread(a, huge_page_size)
        assert_true(a)
        assert asked == [len(a) // PAGE]
        del a


class Disturber:
    """Splits huge pages, moves their first 100 pages away and back, and makes them whole again.

    Most pages are on `here`, so huge pages are made there. If a query holds a huge page just then,
    the kernel leaves it whole and reports no error. The first 100 pages then take all of it along.
    `whole` lists these huge pages, and each moves back at the end of its turn.
    """

    def __init__(self, a, size, random, here, there):
        self.a, self.size, self.random, self.here, self.there = a, size, random, here, there
        self.stop, self.turn, self.whole = threading.Event(), threading.Lock(), []

    def run(self):
        while not self.stop.is_set():
            with self.turn, contextlib.suppress(OSError):
                self.disturb(int(self.random.integers(COUNT)))
            time.sleep(self.random.random() * 20e-3)

    def disturb(self, index):
        part = self.a[index * self.size :][: self.size]
        pages = memory.pages_of(part)
        system.succeed(system.libc.madvise(part.ctypes.data, self.size // 2, MADV_COLD))
        for node in (self.there, self.here)[: int(self.random.integers(3))]:
            self.move(pages[:100], node)
            if witness.nodes_of(pages[-1:])[0] == self.there:
                self.whole.append(index)
            time.sleep(self.random.random() * 2e-3)
        if self.whole[-1:] == [index]:
            self.move(pages, self.here)
        system.succeed(system.libc.madvise(part.ctypes.data, self.size, MADV_COLLAPSE))

    @staticmethod
    def move(pages, node):
        pages, target = pages.copy(), np.full(len(pages), node, np.int32)
        status = np.zeros(len(pages), np.int32)
        system.syscall(
            system.SYS_MOVE_PAGES, 0, len(pages), pages.ctypes.data,
            target.ctypes.data, status.ctypes.data, 2,
        )  # fmt: skip

    def moved_whole(self, since):
        """Return the huge pages that moved as a whole since `whole` had this many entries."""
        with self.turn:
            # The last one before that may have been away still.
            return self.whole[max(since - 1, 0) :]


def test_huge_pages_that_are_split_and_made_whole(two_nodes, asked, huge_page_size, storm):
    runs, seed = storm
    here, there = two_nodes
    a = memory.anonymous(COUNT * huge_page_size, here, huge=True)
    number, each = np.divmod(np.arange(len(a) // PAGE), huge_page_size // PAGE)
    disturber = Disturber(a, huge_page_size, np.random.default_rng(seed), here, there)
    begin = time.monotonic()
    with meanwhile(disturber.run):
        try:
            for run in range(5 * runs):
                since = len(disturber.whole)
                status = mp.where(a).status
                assert np.isin(status[each < 100], [here, there, -2, -14, -16]).all(), run
                wrong = (status != here) & (status >= 0) & (each >= 100)
                if wrong.any():
                    wrong &= ~np.isin(number, disturber.moved_whole(since)) | (status != there)
                assert not wrong.any(), f"seed {seed}, run {run}: {np.flatnonzero(wrong)}"
        finally:
            disturber.stop.set()
    assert time.monotonic() - begin < 5 * runs * PATIENCE_S
    assert asked
