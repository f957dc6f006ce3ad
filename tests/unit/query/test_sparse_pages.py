"""Runs of absent pages are handled whole, with the same results as page by page."""

import mmap
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import movepages as mp
from movepages import _core
from movepages.layouts.patterns import NOWHERE
from movepages.layouts.targets import as_target
from movepages.migration import preview, sizes
from movepages.migration.folios import HugePages
from movepages.migration.huge_page_targets import TargetChooser
from movepages.migration.slices import slices
from movepages.pages.blocks import cut_rows
from movepages.pages.buffers import footprint_of
from movepages.pages.footprint import Footprint
from movepages.query import page_query
from movepages.query import where as survey
from movepages.query.survey_runs import SurveyRuns
from movepages.system import smaps
from support import huge, memory, system
from support.memory import PAGE
from support.sparse import Anywhere

FRAME = _core.HUGE_PAGE_BYTES
PAGES = 4 * FRAME // PAGE
NODE = mp.topology().allowed_nodes[0]
NOT_ATTEMPTED = mp.PageStatus.NOT_ATTEMPTED.value


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """Split a few thousand pages into many blocks and slices."""
    monkeypatch.setattr(survey, "SURVEY_PAGES", 700)
    monkeypatch.setattr(sizes, "MOVE_PAGES", 700)
    monkeypatch.setattr(sizes, "SLICE_PAGES", 600)


def expected_of(region, target):
    """Return status and target of each page, queried and computed page by page."""
    footprint = footprint_of(region)
    address = np.concatenate([some for some, _ in footprint.chunks(1 << 16)])
    before = mp.move_pages(address)
    pattern = as_target(target, region, footprint)
    wanted = pattern.nodes_for(np.arange(len(address)), address)
    chosen = TargetChooser(pattern, HugePages(0), "majority").forecast(address, before, wanted)
    return before, chosen.each


def check(region, target):
    before, wanted = expected_of(region, target)
    absent, nowhere = before < 0, wanted == NOWHERE
    stays = ~absent & nowhere
    there = (before == wanted) | (absent & nowhere)
    p = mp.plan(region, target)
    assert (p.pages, p.absent) == (len(before), np.count_nonzero(absent))
    assert p.untargeted == np.count_nonzero(stays)
    in_place = np.count_nonzero(~absent & ~nowhere) * PAGE
    assert dict(p.flows) == ({(NODE, NODE): in_place} if in_place else {})
    r = mp.move(region, target)
    assert (r.moved, r.already_there) == (0, np.count_nonzero(there))
    assert r.untargeted == r.not_attempted == np.count_nonzero(stays)
    assert r.failures == Counter(before[absent & ~nowhere].tolist())
    assert np.array_equal(r.status, np.where(stays, NOT_ATTEMPTED, before))
    assert (r.runs["address"][1:] > r.runs["address"][:-1]).all()
    held = r.runs["nbytes"].sum()
    assert held == region.nbytes
    assert np.array_equal(mp.where(region).status, before)


def some_acts(random, count):
    kinds = ["write", "write", "huge", "read", "discard", "unmap"]
    return [
        (str(random.choice(kinds)), int(random.integers(PAGES)), int(random.integers(1, 300)))
        for _ in range(count)
    ]


def do(a, acts):
    gone = np.zeros(PAGES, bool)
    for act, first, width in acts:
        page = a[first * PAGE : (first + width) * PAGE]
        part = slice(first, first + width)
        if act == "unmap":
            system.succeed(system.libc.munmap(page.ctypes.data, page.nbytes))
            gone[part] = True
        elif gone[part].any():
            continue
        elif act == "write":
            page[::PAGE] = 1
        elif act == "huge":
            frame = a[first * PAGE // FRAME * FRAME :][:FRAME]
            at = (frame.ctypes.data - a.ctypes.data) // PAGE
            if memory.huge_page_size() and not gone[at : at + FRAME // PAGE].any():
                system.succeed(system.libc.madvise(frame.ctypes.data, FRAME, 14))
                frame[::PAGE] = 1
        elif act == "read":
            assert page[::PAGE].sum() >= 0
        else:
            memory.discard(page)
    # Otherwise khugepaged may fill holes of huge pages between the looks that follow. This advice
    # fails for what is unmapped, and holds for the rest.
    system.libc.madvise(a.ctypes.data, PAGES * PAGE, mmap.MADV_NOHUGEPAGE)


@pytest.fixture(params=["scanned", "read"])
def _told(request, monkeypatch):
    """Run a test with scanned page tables, and as before Linux 6.7."""
    if request.param == "read":
        monkeypatch.setattr(page_query._core, "reach", lambda *_: None)
        monkeypatch.setattr(smaps, "TOO_MANY_BYTES", 100 * PAGE)


@pytest.mark.usefixtures("_told")
@pytest.mark.parametrize("seed", range(10))
def test_any_mixture_of_pages_and_targets(seed):
    random = np.random.default_rng(seed)
    with memory.apart(PAGES * PAGE) as a:
        memory.bind(a, NODE)
        ahead, odd = (int(random.integers(n)) for n in (40, PAGE))
        region = mp.Region(a.ctypes.data + ahead * PAGE + odd, (PAGES - 60) * PAGE)
        at_first = mp.where(region)
        acts = some_acts(random, int(random.integers(12)))
        do(a, acts)
        seen = mp.where(region)
        elsewhere = mp.where(mp.Region(a.ctypes.data, PAGES * PAGE // 3))
        pages = footprint_of(region).pages
        targets = [
            NODE,
            np.full(pages, NODE),
            Anywhere(mp.interleave([NODE, NODE])),
            Anywhere(mp.interleave([NODE] * 3, block=PAGE)),
            Anywhere(mp.weighted({NODE: 2})),
            Anywhere(mp.blocks([NODE, NODE])),
            Anywhere(mp.local()) if mp.topology().allowed_nodes == (NODE,) else NODE,
            mp.like(elsewhere),
            mp.like(seen),
            seen,
            at_first,
        ]
        # Pages that were present may now be absent, and the reverse.
        if "unmap" not in [act for act, _, _ in acts]:
            do(a, some_acts(random, 6))
        for target in targets:
            check(region, target)


@pytest.mark.usefixtures("_told")
def test_mappings_with_and_without_memory():
    """A mapping in which all pages are absent may still have zero pages."""
    with memory.apart(PAGES * PAGE) as a:
        memory.bind(a, NODE)
        for first, last in ((0, 900), (1000, 1300)):
            part = a[first * PAGE : last * PAGE]
            system.succeed(system.libc.mprotect(part.ctypes.data, part.nbytes, 1))
        assert a[500 * PAGE] == 0
        a[950 * PAGE] = a[1700 * PAGE] = 1
        region = mp.Region(a.ctypes.data, a.nbytes)
        for target in (NODE, Anywhere(mp.interleave([NODE])), mp.where(region)):
            check(region, target)
        p = mp.where(region)
        reasons = p.absent_reasons
        zero = reasons.pop(mp.Absence.ZERO_PAGE, 0) + reasons.pop(mp.Absence.UNKNOWN, 0)
        assert zero >= 1
        assert zero + reasons.pop(mp.Absence.UNTOUCHED) == p.absent_pages == PAGES - 2
        assert not reasons


def test_strided_arrays_and_their_axes():
    whole = memory.anonymous(16 * 500 * PAGE)
    memory.bind(whole, NODE)
    a = whole.reshape(16, 500 * PAGE)[::2, 3 * PAGE : 470 * PAGE]
    a[::3, : 7 * PAGE] = 1
    a[1, 200 * PAGE : 240 * PAGE] = 1
    for target in (
        NODE,
        Anywhere(mp.by_axis(0, [NODE, NODE])),
        Anywhere(mp.by_axis(1, [NODE, NODE])),
        Anywhere(mp.blocks([NODE, NODE])),
        mp.where(a),
        mp.like(mp.where(whole)),
    ):
        check(a, target)


def told_by_early_end(target, progress):
    """Return the statuses up to where a move came that its callback ended."""
    a = memory.anonymous(PAGES * PAGE)
    memory.bind(a, NODE)
    for first in range(0, PAGES, 97):
        a[first * PAGE : (first + first % 60) * PAGE : PAGE] = 1
    before = mp.move_pages(memory.pages_of(a))
    targets = {"restored": mp.where(a), "taken in turn": Anywhere(mp.interleave([NODE]))}
    with pytest.raises(mp.MovePagesCancelledError) as caught:
        mp.move(a, targets[target], progress=progress)
    r = caught.value.result
    reached = int(r.runs["pages"].sum())
    assert reached < PAGES
    assert np.array_equal(r.status[reached:], np.full(PAGES - reached, NOT_ATTEMPTED))
    told = r.status[:reached]
    assert ((told == before[:reached]) | (told == NOT_ATTEMPTED)).all()
    assert (told == before[:reached])[before[:reached] < 0].all()
    return told


@pytest.mark.parametrize("target", ["restored", "taken in turn"])
@pytest.mark.parametrize("turn", [1, 2, 3, 4])
def test_early_end_of_a_move_reports_its_beginning(target, turn):
    # On a busy machine, a query takes turns of its own, and the move ends earlier.
    turns = iter(range(turn))
    told_by_early_end(target, lambda *_: next(turns, None) is not None)


@pytest.mark.parametrize("target", ["restored", "taken in turn"])
@pytest.mark.parametrize("share", [0, 0.5])
def test_early_end_of_a_move_reports_what_was_done(target, share):
    told = told_by_early_end(target, lambda done, pages: done <= share * pages)
    assert len(told) > share * PAGES
    assert (told >= 0).any()


def test_a_part_of_a_huge_page_among_absent_pages_is_one_page(huge_page_size):
    a = memory.anonymous(3 * huge_page_size, huge=True)
    memory.bind(a, NODE)
    huge.fill(a, slice(huge_page_size, 2 * huge_page_size))
    per = huge_page_size // PAGE
    seen = mp.where(mp.Region(a.ctypes.data, (per + 100) * PAGE))
    part = mp.Region(a.ctypes.data + 60 * PAGE, seen.nbytes)
    p = mp.plan(part, seen)
    assert (p.absent, p.untargeted, p.flows) == (per - 60, 0, {(NODE, NODE): 160 * PAGE})
    check(part, seen)


def test_cut_huge_pages_are_refused_without_a_look_at_other_pages(monkeypatch, huge_page_size):
    a = memory.anonymous(4 * huge_page_size, huge=True)
    memory.bind(a, NODE)
    huge.fill(a, slice(huge_page_size, 2 * huge_page_size))
    nodes = np.full(4 * huge_page_size // PAGE, NODE, np.int32)
    pattern = as_target(nodes, a, footprint_of(a))
    asked = []
    part = pattern.nodes_for
    pattern.nodes_for = lambda number, address: asked.append(number) or part(number, address)
    pattern.distinct = [NODE, NODE + 1]
    preview.refuse_conflicts(footprint_of(a), pattern, HugePages(0))
    per = huge_page_size // PAGE
    assert np.array_equal(np.concatenate(asked), np.arange(per, 2 * per))
    nodes[per + 5] = NODE + 1
    with pytest.raises(ValueError, match="target: 1 pages cannot be where they are wanted"):
        preview.refuse_conflicts(footprint_of(a), pattern, HugePages(0))


RUNS = st.lists(
    st.tuples(st.booleans(), st.integers(1, 2000), st.integers(0, 3)), min_size=1, max_size=20
)


@given(RUNS, st.integers(0, 9), st.integers(1, 1500))
def test_slices_leave_no_page_out(runs, start, most):
    """Runs may have gaps between them, as those of strided arrays do."""
    pages = np.array([n for _, n, _ in runs], np.int64)
    aside = np.array([each for each, _, _ in runs])
    gaps = np.array([gap for _, _, gap in runs])
    first = np.cumsum(pages + gaps) - pages
    address = (first * PAGE + FRAME).astype(np.uintp)
    found = SurveyRuns(
        address, pages, np.arange(len(runs), dtype=np.int32), np.zeros(len(runs), "u1")
    )
    numbers, where = np.arange(start, start + pages.sum()), np.cumsum(pages) - pages
    spread = np.repeat(address, pages) + np.uintp(PAGE) * (
        np.arange(pages.sum()) - np.repeat(where, pages)
    ).astype(np.uintp)
    told = {}
    last = -1
    for part in slices(found, aside, start, PAGE, max(most, FRAME // PAGE)):
        assert len(part.address) <= max(most, FRAME // PAGE)
        for each in zip(
            part.number.tolist(), part.address.tolist(), part.before.tolist(), strict=True
        ):
            told[each[0]] = each[1:]
        for number, begin, n, status in zip(
            part.aside_number.tolist(), *(part.aside[k].tolist() for k in range(3)), strict=True
        ):
            told |= {number + k: (begin + k * PAGE, status) for k in range(n)}
        # The pages so far are a prefix of all pages.
        assert sorted(told)[: len(told)] == list(range(start, start + len(told)))
        assert len(told) > last
        last = len(told)
    status = np.repeat(found.status, pages)
    assert [told[n] for n in numbers.tolist()] == list(
        zip(spread.tolist(), status.tolist(), strict=True)
    )


@given(st.lists(st.integers(0, 2999), max_size=60), st.integers(0, 2999), st.integers(0, 80))
def test_reach_goes_as_far_as_pages_are_few(touched, start, most):
    with memory.apart(3000 * PAGE) as a:
        for page in touched:
            a[page * PAGE] = 1
        low = a.ctypes.data
        until = _core.reach(low + start * PAGE, low + a.nbytes, most, 0)
        if until is None:
            pytest.skip("needs Linux 6.7, which scans page tables")
        held = [page for page in sorted(set(touched)) if page >= start]
        behind = held[most - 1] + 1 if 0 < most <= len(held) else 3000 if most else start
        assert (until - low) // PAGE == behind


def test_reach_beyond_the_address_space():
    if _core.reach(0, 1 << 40, 1, 0) is None:
        pytest.skip("needs Linux 6.7, which scans page tables")
    for end in (1 << 47, 1 << 62, 2**64 - PAGE):
        assert _core.reach(0, end, 1 << 40, 0) == end


@given(st.integers(0, 2 * FRAME // PAGE), st.integers(1, 50_000), st.integers(1, 2000), st.data())
def test_blocks_end_at_huge_page_borders(ahead, pages, most, data):
    """Whatever `reach` returns, a block ends at a huge page's border or with the memory."""
    footprint = Footprint(ahead * PAGE, pages * PAGE)
    asked = []

    def reach(start, left, most):
        asked.append(most)
        return data.draw(st.integers(min(left, most), left))

    at = ahead
    for address, count in cut_rows(footprint, most, reach):
        assert (address[0] // PAGE, len(count)) == (at, 1)
        at += int(count[0])
        assert at * PAGE % FRAME == 0 or at == ahead + pages
    assert at == ahead + pages
    assert all(each <= -(-most * PAGE // FRAME) * FRAME // PAGE for each in asked)


def test_query_reaches_further_only_after_a_sparse_block(monkeypatch):
    a = memory.anonymous(3 * PAGES * PAGE)
    memory.bind(a, NODE)
    a[: PAGES * PAGE : PAGE] = 1
    asked = []
    reach = _core.reach
    monkeypatch.setattr(
        page_query._core, "reach", lambda *where: asked.append(where[0]) or reach(*where)
    )
    mp.where(a)
    assert asked
    assert min(asked) > a.ctypes.data + PAGES * PAGE
    del asked[:]
    a[::PAGE] = 1
    mp.where(a)
    assert not asked
