"""where() by page tables, runs and threads reports what a bare query reports of every page."""

import mmap
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import movepages as mp
from movepages.migration import executor
from movepages.migration.slices import each_page
from movepages.pages.blocks import cut_rows
from movepages.pages.footprint import Footprint
from movepages.query import page_query
from movepages.query.survey import survey_rows
from movepages.query.survey_runs import SurveyRuns, join_survey_runs
from support import memory, system
from support.memory import PAGE

FRAME = mp._core.HUGE_PAGE_BYTES


def page_by_page(region):
    """Return the statuses of a bare query of every page."""
    start = region.address // PAGE * PAGE
    count = (region.address + region.nbytes - start + PAGE - 1) // PAGE
    return mp.move_pages(np.uintp(start) + np.arange(count, dtype=np.uintp) * np.uintp(PAGE))


def check(region):
    """Compare every status and count with those of the bare query."""
    expected = page_by_page(region)
    for threads in (1, 3):
        p = mp.where(region, threads=threads)
        assert np.array_equal(p.status, expected)
        assert sum(p.absent_reasons.values()) == np.count_nonzero(expected < 0)
        assert sum(p.bytes_per_node.values()) + p.absent_bytes == region.nbytes
    return p


ACTS = st.lists(
    st.tuples(st.sampled_from(["write", "read", "discard", "unmap"]), st.integers(0, 299)),
    max_size=40,
)


@settings(max_examples=60)
@given(ACTS, st.integers(1, 60), st.integers(0, PAGE - 1), st.integers(0, 40))
def test_any_mixture_of_pages(acts, width, odd, ahead):
    with memory.apart(360 * PAGE) as a:
        gone = np.zeros(360, bool)
        for act, first in acts:
            part = slice(first, first + width)
            page = a[first * PAGE : (first + width) * PAGE]
            if act == "unmap":
                system.succeed(system.libc.munmap(page.ctypes.data, page.nbytes))
                gone[part] = True
            elif gone[part].any():
                continue
            elif act == "write":
                page[::PAGE] = 1
            elif act == "read":
                assert page[::PAGE].sum() >= 0
            else:
                memory.discard(page)
        check(mp.Region(a.ctypes.data + ahead * PAGE + odd, 300 * PAGE))


def test_a_long_sparse_mapping_by_several_threads(huge_page_size):
    whole = mmap.mmap(-1, 1 << 34, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
    whole.madvise(mmap.MADV_NOHUGEPAGE)
    a = np.frombuffer(whole, np.uint8)
    random = np.random.default_rng(0)
    touched = np.unique(random.integers(0, len(a) // PAGE, 300))
    a[touched * PAGE] = 1
    p = mp.where(a)
    assert sum(p.pages_per_node.values()) == len(touched)
    found = (p.addresses[p.status >= 0] - np.uintp(a.ctypes.data)) // np.uintp(PAGE)
    assert np.array_equal(found, touched)
    assert p.absent_reasons == {mp.Absence.UNTOUCHED: p.pages - len(touched)}


def test_huge_pages_and_small_ones(huge_page_size):
    # Elsewhere, the interpreter's memory may lie beside it, and change between two looks.
    with memory.apart(6 * huge_page_size) as a:
        system.succeed(system.libc.madvise(a.ctypes.data, a.nbytes, mmap.MADV_HUGEPAGE))
        a[:: huge_page_size // 2] = 1
        memory.keep_as_it_is(a)
        memory.discard(a[2 * huge_page_size + 5 * PAGE : 2 * huge_page_size + 9 * PAGE])
        memory.discard(a[4 * huge_page_size : 5 * huge_page_size])
        start = a.ctypes.data
        check(mp.Region(start, a.nbytes))
        check(mp.Region(start + 77 * PAGE + 5, a.nbytes - 99 * PAGE))
        check(mp.Region(start - huge_page_size, a.nbytes + 2 * huge_page_size))


def test_many_pages_by_several_threads():
    a = memory.anonymous(200 << 20)
    a[:: 3 * PAGE] = 1
    check(mp.Region(a.ctypes.data, a.nbytes))


@pytest.mark.parametrize("without", ["page tables", "mappings"])
def test_pages_are_queried_where_a_sandbox_hides_files(monkeypatch, without):
    if without == "mappings":
        monkeypatch.setattr(page_query, "mappings_within", lambda *_: None)
    else:

        def ask(addresses, pages, **how):
            return survey_rows(addresses, pages, **how | {"fewest": None})

        monkeypatch.setattr(page_query, "survey_rows", ask)
    a = memory.anonymous(100 * PAGE)
    a[: 40 * PAGE : PAGE] = 1
    assert a[50 * PAGE] == 0
    check(mp.Region(a.ctypes.data, a.nbytes))


def test_every_page_of_a_strided_array():
    base = memory.anonymous(3000 * PAGE)
    base[: 1500 * PAGE] = 1
    rows = base.reshape(300, 10 * PAGE)[::2, PAGE + 7 : 3 * PAGE + 9]
    p = mp.where(rows)
    assert np.array_equal(p.status, mp.move_pages(p.addresses))
    assert sum(p.bytes_per_node.values()) + p.absent_bytes == rows.nbytes
    assert p.pages == 150 * 3


@pytest.mark.parametrize("threads", [0, -1, 1.5, "all"])
def test_invalid_number_of_threads(threads):
    with pytest.raises((TypeError, ValueError), match="threads: expected a whole number from 1"):
        mp.where(np.ones(1), threads=threads)


@given(st.integers(0, 3 * FRAME), st.integers(0, 5 * FRAME), st.integers(1, 2000))
def test_rows_are_cut_at_huge_pages(address, nbytes, most):
    footprint = Footprint(address, nbytes)
    rows = list(cut_rows(footprint, most))
    assert sum(int(pages.sum()) for _, pages in rows) == footprint.pages
    assert all((addresses % FRAME == 0).all() for addresses, _ in rows[1:])
    ends = [int(a[-1]) + int(n[-1]) * PAGE for a, n in rows]
    assert ends[:-1] == [int(a[0]) for a, _ in rows[1:]]


@given(st.integers(1, 3), st.integers(1, 700), st.integers(1, 3000), st.integers(0, 2000))
def test_rows_of_a_huge_page_are_in_one_block(width, gap, most, ahead):
    stride = (width + gap) * PAGE
    footprint = Footprint(FRAME + ahead * PAGE, width * PAGE, ((stride, 5000),))
    rows = list(cut_rows(footprint, most))
    assert sum(int(pages.sum()) for _, pages in rows) == footprint.pages
    ends = [(a, a + (n - 1).astype(np.uintp) * np.uintp(PAGE)) for a, n in rows]
    frames = [set((np.concatenate(pair) // np.uintp(FRAME)).tolist()) for pair in ends]
    assert all(not one & other for one, other in pairwise(frames))
    if width * 5000 > 3 * (most + 2 * FRAME // PAGE):
        assert len(rows) > 1


def test_rows_that_fit_are_one_block():
    footprint = Footprint(FRAME, PAGE, ((5 * PAGE, 1000),))
    assert len(list(cut_rows(footprint, 2000))) == 1


@pytest.mark.parametrize("count", [65_536, 65_537, 150_000])
def test_rows_of_several_portions_are_in_order(count):
    footprint = Footprint(FRAME, PAGE, ((5 * PAGE, count),))
    rows = np.concatenate([address for address, _ in cut_rows(footprint, 40_000)])
    pages = np.unique(rows)
    assert np.array_equal(rows, pages)
    assert sum(int(n.sum()) for _, n in cut_rows(footprint, 40_000)) == footprint.pages


def test_each_page_cuts_no_huge_page():
    frame = FRAME // PAGE
    runs = SurveyRuns(
        np.array([FRAME - PAGE, FRAME, 9 * FRAME], np.uintp),
        np.array([1, 3 * frame, 7]),
        np.array([0, 1, 2], np.int32),
        np.zeros(3, np.uint8),
    )
    parts = list(each_page(runs, np.array([5, 6, 6 + 3 * frame]), PAGE, frame + 5))
    assert all(address[0] % FRAME == 0 for address, _, _ in parts[1:])
    address, before, number = (np.concatenate(column) for column in zip(*parts, strict=True))
    assert len(address) == 3 * frame + 8
    assert np.array_equal(np.unique(address), address)
    assert np.array_equal(before, np.repeat([0, 1, 2], [1, 3 * frame, 7]))
    assert np.array_equal(number, 5 + np.arange(3 * frame + 8))


def test_survey_runs_are_joined_in_address_order():
    one, other = (SurveyRuns(*(np.array([n]) for n in row)) for row in ((9, 1, 0, 1), (3, 2, 1, 0)))
    assert join_survey_runs((one, other)).address.tolist() == [3, 9]


def test_a_move_with_nothing_to_do_makes_no_moving_call(monkeypatch):
    monkeypatch.setattr(executor, "SliceMigration", None)
    node = mp.topology().allowed_nodes[0]
    a = memory.anonymous(3000 * PAGE)
    memory.bind(a, node)
    a[: 2000 * PAGE : PAGE] = 1
    r = mp.move(a, node)
    assert (r.already_there, r.failed, r.moved, r.rounds) == (2000, 1000, 0, 0)


@pytest.mark.parametrize("pages", [1, 64, 65])
def test_a_move_of_a_few_placed_pages(pages):
    node = mp.topology().allowed_nodes[0]
    a = memory.anonymous(pages * PAGE)
    memory.bind(a, node)
    memory.touch(a)
    seen = []
    r = mp.move(a[3:-5], node, progress=lambda done, total: seen.append((done, total)))
    assert (r.already_there, r.moved, r.rounds, r.ok) == (pages, 0, 0, True)
    assert r.status.tolist() == [node] * pages
    assert r.runs["nbytes"].tolist() == [pages * PAGE - 8]
    assert seen[-1] == (pages, pages)
