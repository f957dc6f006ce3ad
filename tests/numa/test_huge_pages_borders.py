"""move() where a huge page lies in two slices or blocks, or appears during the move."""

import numpy as np
import pytest

import movepages as mp
from movepages.migration import sizes
from support import memory, system, witness
from support.memory import PAGE

MADV_NOHUGEPAGE, MADV_HUGEPAGE, MADV_COLLAPSE = 15, 14, 25
# MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP. The last keeps the old addresses mapped: into a
# gap, the kernel could put memory of Python, which would be unmapped with the array.
MREMAP_LEAVE_NO_GAP = 7
FRAME = mp._core.HUGE_PAGE_BYTES
PER = FRAME // PAGE


@pytest.fixture
def here_and_there(two_nodes, huge_page_size):
    return two_nodes


def assert_true(status, pages):
    """Compare the statuses of pages that are on a node with the witness."""
    placed = status >= 0
    found = witness.nodes_of(pages[placed])
    assert np.array_equal(status[placed], found)


def huge_pages_at(array, node):
    memory.bind(array, node)
    system.succeed(system.libc.madvise(array.ctypes.data, array.nbytes, MADV_HUGEPAGE))
    memory.touch_huge(array)
    array[::PAGE] = 1
    assert witness.huge_bytes(array) == array.nbytes


@pytest.mark.filterwarnings("ignore::movepages.LayoutWarning")
def test_rows_of_a_huge_page_in_two_blocks(here_and_there, monkeypatch):
    here, there = here_and_there
    monkeypatch.setattr(sizes, "MOVE_PAGES", PER)
    a = memory.anonymous(8 * FRAME, huge=True)
    huge_pages_at(a, here)
    rows = a.reshape(-1, 2 * PAGE)[PER // 4 : -PER // 4, :PAGE]
    pages = mp.where(rows).addresses
    target = np.where(np.arange(len(pages)) % 1500 < 700, there, here).astype(np.int32)
    r = mp.move(rows, target)
    assert_true(r.status, pages)
    assert (r.failed, r.ok) == (0, r.overruled == 0)
    assert r.overruled == np.count_nonzero(r.status != target)
    assert witness.huge_bytes(a) == a.nbytes


@pytest.mark.parametrize("back", [False, True])
def test_unaligned_folio_across_two_slices(here_and_there, monkeypatch, back):
    """mremap(2) leaves it so: its pages move together, and no page table shows that."""
    here, there = here_and_there
    monkeypatch.setattr(sizes, "SLICE_PAGES", 2 * PER)
    monkeypatch.setattr(sizes, "MOVE_PAGES", 2 * PER)
    space = memory.anonymous(8 * FRAME, huge=True)
    folio = memory.anonymous(FRAME, huge=True)
    huge_pages_at(folio, here)
    start, border = space.ctypes.data, 2 * FRAME
    goal = start + border - 100 * PAGE
    system.libc.mremap.restype = system.libc.mmap.restype
    system.libc.mremap.argtypes = system.libc.mmap.argtypes[:2] * 2 + system.libc.mmap.argtypes[:1]
    moved = system.libc.mremap(folio.ctypes.data, FRAME, FRAME, MREMAP_LEAVE_NO_GAP, goal)
    assert moved == goal
    pages = np.arange(goal, goal + FRAME, PAGE, dtype=np.uintp)
    every = memory.pages_of(space[: 4 * FRAME])
    second = here if back else there
    first = there if back else here
    mp.move_pages(pages[:1], here)
    target = np.where(np.arange(len(every)) < 2 * PER, first, second).astype(np.int32)
    r = mp.move(mp.Region(start, 4 * FRAME), target)
    among = np.isin(every, pages)
    assert_true(r.status[among], every[among])
    assert len(set(witness.nodes_of(pages).tolist())) == 1


def test_huge_page_made_during_the_move(here_and_there):
    """The collapse takes its first piece off the target again."""
    here, there = here_and_there
    a = memory.anonymous(FRAME, huge=True)
    start = a.ctypes.data
    system.succeed(system.libc.madvise(start, FRAME, MADV_NOHUGEPAGE))
    memory.bind(a, here)
    a[::PAGE] = 1
    pages = memory.pages_of(a)
    assert mp.move_pages(pages[:1], there).tolist() == [there]
    calls = []

    def collapse(done, _total):
        calls.append(done)
        if len(calls) == 2:
            system.libc.madvise(start, FRAME, MADV_HUGEPAGE)
            system.libc.madvise(start, FRAME, MADV_COLLAPSE)

    r = mp.move(a, there, progress=collapse)
    assert len(calls) > 2
    assert_true(r.status, pages)
    assert r.ok
    assert (witness.nodes_of(pages) == there).all()
