"""move() treats a huge page as one page, whatever the target, and reports where it ends up."""

import platform
import time
from threading import Timer

import numpy as np
import pytest

import movepages as mp
from movepages.migration import sizes
from support import memory, nodes, witness
from support.pins import pinned

MIB = 1 << 20
# From Linux 6.7 on, the page tables show which pages are huge.
TOLD = tuple(map(int, platform.release().split(".")[:2])) >= (6, 7)


pytestmark = pytest.mark.filterwarnings("ignore::movepages.LayoutWarning")


@pytest.fixture
def here_and_there(two_nodes):
    return two_nodes


@pytest.fixture
def huge(here_and_there, huge_page_size):
    def make(count):
        a = memory.anonymous(count * huge_page_size, node=here_and_there[0], huge=True)
        assert witness.huge_bytes(a) == a.nbytes
        memory.keep_as_it_is(a)
        return a

    return make


def assert_true(r, array, before, target):
    """Compare a result with the witness, page by page and in its counts."""
    found = witness.nodes_of(memory.pages_of(array))
    status = r.status
    assert np.array_equal(status[status >= 0], found[status >= 0])
    on_target = int((status >= 0).sum())
    assert r.moved == int((status >= 0).sum() - ((status >= 0) & (found == before)).sum())
    assert r.moved + r.already_there == on_target
    assert r.ok == (r.failed == r.overruled == r.not_attempted == 0)
    # A page that is reported as failed is not on its target.
    assert not (found[status < 0] == target[status < 0]).any()
    assert r.overruled == int(((status >= 0) & (found != target)).sum())


@pytest.mark.parametrize("pattern", ["alternate", "halves", "one page", "thirds"])
def test_a_target_that_cuts_through_huge_pages(here_and_there, huge, pattern):
    here, there = here_and_there
    a = huge(3)
    pages = len(memory.pages_of(a))
    size = pages // 3
    index = np.arange(pages)
    target = np.where(
        {
            "alternate": index % 2 == 1,
            "halves": index % size >= size // 2,
            "one page": index == size + 7,
            "thirds": index % 3 > 0,
        }[pattern],
        there,
        here,
    ).astype(np.int32)
    before = witness.nodes_of(memory.pages_of(a))
    memory_before = a[:: memory.PAGE].copy()
    r = mp.move(a, target)
    assert_true(r, a, before, target)
    assert np.array_equal(a[:: memory.PAGE], memory_before)
    assert witness.huge_bytes(a) == a.nbytes
    assert not r.ok
    # Each goes where most of its pages should be; ties are split so that nodes get their bytes.
    frames = {
        "alternate": [here, there, here],
        "halves": [here, there, here],
        "one page": [here, here, here],
        "thirds": [there, here, there],
    }[pattern]
    found = witness.nodes_of(memory.pages_of(a))
    assert np.array_equal(found, np.repeat(frames, size))
    assert r.overruled == int((target != found).sum())


def test_a_target_that_cuts_through_can_be_refused(here_and_there, huge):
    here, there = here_and_there
    a = huge(2)
    target = np.resize(np.array([here, there], np.int32), len(memory.pages_of(a)))
    with pytest.raises(ValueError, match=f"target: {len(target) // 2:,} pages cannot be"):
        mp.move(a, target, on_conflict="raise")
    assert (witness.nodes_of(memory.pages_of(a)) == here).all()
    whole = np.repeat(np.array([here, there], np.int32), len(target) // 2)
    r = mp.move(a, whole, on_conflict="raise")
    assert (r.ok, r.overruled) == (True, 0)
    assert np.array_equal(witness.nodes_of(memory.pages_of(a)), whole)


def test_pinned_huge_page_counts_as_placed_for_pages_wanted_there(here_and_there, huge):
    here, there = here_and_there
    a = huge(1)
    # Only a few pages of it: Linux 6.1 tries the whole huge page for each of them.
    part = a[: 60 * memory.PAGE]
    pages = memory.pages_of(part)
    target = np.where(np.arange(len(pages)) < len(pages) // 3, here, there).astype(np.int32)
    with pinned(pages[7]):
        r = mp.move(part, target)
        assert (witness.nodes_of(pages) == here).all()
    assert set(r.status[target == here].tolist()) == {here}
    assert set(r.status[target == there].tolist()) == {mp.PageStatus.EBUSY}
    assert r.failures == {mp.PageStatus.EBUSY: np.count_nonzero(target == there)}
    assert (r.moved, r.already_there) == (0, np.count_nonzero(target == here))
    assert (r.overruled, r.ok) == (0, False)


def test_a_huge_page_across_the_border_of_two_slices(here_and_there, huge, monkeypatch):
    here, there = here_and_there
    a = huge(4)
    pages = len(memory.pages_of(a))
    monkeypatch.setattr(sizes, "SLICE_PAGES", pages // 4 + 100)
    before = witness.nodes_of(memory.pages_of(a))
    target = np.where(np.arange(pages) < pages // 4 + 100, there, here).astype(np.int32)
    r = mp.move(a, target)
    assert_true(r, a, before, target)
    assert (r.moved, r.overruled) == (pages // 4, 100)
    r = mp.move(a, there)
    assert r.moved + r.already_there == r.pages
    assert (witness.nodes_of(memory.pages_of(a)) == there).all()


def test_split_huge_page_among_whole_ones(here_and_there, huge):
    """A former huge page moves as one folio, and the page tables do not show it.

    Before Linux 6.7, nothing even shows which fully mapped 2 MiB ranges are huge pages.
    """
    here, there = here_and_there
    a = huge(3)
    pages = len(memory.pages_of(a))
    size = pages // 3
    memory.discard(a[(size + 5) * memory.PAGE : (size + 6) * memory.PAGE])
    # Every page holds data: the kernel drops empty ones when it splits a huge page.
    a[:: memory.PAGE] = 1
    assert witness.huge_bytes(a) == 2 * a.nbytes // 3
    # Only a few changes of target: each may move a huge page back and forth.
    target = np.where(np.arange(pages) % size >= size - 3, there, here).astype(np.int32)
    before = witness.nodes_of(memory.pages_of(a))
    r = mp.move(a, target)
    assert_true(r, a, before, target)
    if TOLD:
        assert r.overruled == 6


def test_unaligned_part_of_an_array_moves_its_huge_pages(here_and_there, huge):
    _, there = here_and_there
    a = huge(3)
    part = a[5 * memory.PAGE : -7 * memory.PAGE]
    r = mp.move(part, there)
    assert (r.moved, r.ok) == (r.pages, True)
    assert (witness.nodes_of(memory.pages_of(part)) == there).all()


def test_placement_of_small_pages_on_huge_ones(here_and_there, huge_page_size):
    """The placement cuts through huge pages, which were made after it was taken."""
    here, there = here_and_there
    a = memory.anonymous(huge_page_size, node=here)
    index = np.arange(len(memory.pages_of(a)))
    mp.move(a, np.where(index % 2, there, here), on_conflict="split").raise_for_status()
    before = mp.where(a)
    again = memory.anonymous(huge_page_size, node=here, huge=True)
    target = before.status
    r = mp.move(again, before)
    assert_true(r, again, np.full(len(index), here), target)


def test_a_pin_that_ends_during_the_call(here_and_there, huge):
    """The first attempt finds a piece busy; a later piece moves the whole huge page."""
    _, there = here_and_there
    a = huge(1)
    pages = memory.pages_of(a)
    held = pinned(pages[3])
    held.__enter__()
    release = Timer(0.15, held.__exit__, (None, None, None))
    release.start()
    try:
        status = mp.move_pages(pages, there)
    finally:
        release.join()
    found = witness.nodes_of(pages)
    assert np.array_equal(status >= 0, found == there)


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled", "every third"])
def test_a_list_of_all_pieces(here_and_there, huge, order):
    here, there = here_and_there
    a = huge(5)
    pages = memory.pages_of(a)
    random = np.random.default_rng(0)
    pages = {
        "ascending": pages,
        "descending": pages[::-1].copy(),
        "shuffled": random.permutation(pages),
        "every third": pages[::3].copy(),
    }[order]
    assert (mp.move_pages(pages) == here).all()
    status = mp.move_pages(pages, there)
    assert (status == there).all()
    assert (witness.nodes_of(memory.pages_of(a)) == there).all()
    assert witness.huge_bytes(a) == a.nbytes


def test_a_list_of_pieces_and_small_pages_pins_and_holes(here_and_there, huge, huge_page_size):
    here, there = here_and_there
    a = huge(4)
    per = huge_page_size // memory.PAGE
    pages = memory.pages_of(a)
    memory.discard(a[per * memory.PAGE : 2 * per * memory.PAGE])
    memory.touch(a[per * memory.PAGE + 9 * memory.PAGE : per * memory.PAGE + 19 * memory.PAGE])
    # Only a few of the pinned huge page: Linux 6.1 tries all of it for each of them.
    pages = pages[: 3 * per + 40]
    present = witness.present(pages)
    with pinned(pages[3 * per + 5]):
        status = mp.move_pages(pages, there)
        found = np.where(present, there, here)
        found[present] = witness.nodes_of(pages[present])
    assert np.array_equal(status >= 0, present & (found == there))
    assert (status[3 * per :] == mp.PageStatus.EBUSY).all()
    assert (status[:per] == there).all()
    assert np.isin(status[~present], [-2, -14]).all()


def test_a_node_that_fills_up_with_pieces(here_and_there, huge_page_size):
    """The kernel splits a huge page that finds no room, and its pieces end on two nodes."""
    here, _ = here_and_there
    small = min(nodes.allowed(), key=nodes.free_bytes)
    size = nodes.most_bytes(small) + 32 * MIB
    if small == here or nodes.free_bytes(here) < size + 200 * MIB:
        pytest.skip("needs a node much smaller than the first, such as one of 256 MiB")
    a = memory.anonymous(size, node=here, huge=True)
    a[:: memory.PAGE] = 1
    pages = memory.pages_of(a)
    try:
        status = mp.move_pages(pages, small)
    except MemoryError as full:
        status = full.status
    found = witness.nodes_of(pages)
    assert np.array_equal(status == small, found == small)
    assert set(status[status < 0].tolist()) <= {mp.PageStatus.ENOMEM, mp.PageStatus.EBUSY}
    assert (status == mp.PageStatus.ENOMEM).any()


def test_a_node_that_fills_up_with_huge_pages(here_and_there, huge_page_size):
    here, _ = here_and_there
    small = min(nodes.allowed(), key=nodes.free_bytes)
    size = nodes.most_bytes(small) + 64 * MIB
    if small == here or nodes.free_bytes(here) < size + 200 * MIB:
        pytest.skip("needs a node much smaller than the first, such as one of 256 MiB")
    a = memory.anonymous(size, node=here, huge=True)
    # Every page holds data: the kernel drops empty ones when it splits a huge page.
    a[:: memory.PAGE] = 1
    start = time.monotonic()
    try:
        r = mp.move(a, small)
    except MemoryError as full:
        r = full.result
    assert time.monotonic() - start < 300
    found = witness.nodes_of(memory.pages_of(a))
    assert r.moved + r.already_there == int((found == small).sum()) > 0
    assert r.failed + r.not_attempted == int((found == here).sum()) > 0
    assert np.array_equal(r.status == small, found == small)
