"""Layouts over huge pages: how much each node gets, and whether move() calls that a success."""

import contextlib
import ctypes
import platform
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import movepages as mp
from support import memory, nodes, processes, system, witness

PAGE = memory.PAGE
# Half of a huge page: 1 MiB with pages of 4 KiB, 16 MiB with pages of 16 KiB.
HALF = (memory.huge_page_size() or 2 << 20) // 2
# From Linux 6.7 on, the page tables show which pages are huge.
TOLD = tuple(map(int, platform.release().split(".")[:2])) >= (6, 7)
_KHUGEPAGED = Path("/sys/kernel/mm/transparent_hugepage/khugepaged")


@contextlib.contextmanager
def khugepaged_in_a_hurry():
    wanted = {"scan_sleep_millisecs": "10", "alloc_sleep_millisecs": "10", "pages_to_scan": "65536"}
    before = {name: (_KHUGEPAGED / name).read_text() for name in wanted}
    try:
        for name, value in wanted.items():
            (_KHUGEPAGED / name).write_text(value)
        yield
    finally:
        for name, value in before.items():
            (_KHUGEPAGED / name).write_text(value)


def wait_for(condition, seconds=processes.PATIENCE_S):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "khugepaged collapsed no huge page in time"
        time.sleep(0.2)


def allow_huge(array):
    assert system.libc.madvise(ctypes.c_void_p(array.ctypes.data), array.nbytes, 14) == 0


@contextlib.contextmanager
def locked(array):
    where = ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(array.nbytes)
    assert system.libc.mlock(*where) == 0
    yield
    assert system.libc.munlock(*where) == 0


def layouts_over(array, chosen):
    """Return each layout, and the fraction of the bytes that it wants on each node."""
    even = {node: 1 / len(chosen) for node in chosen}
    weights = {node: index + 1 for index, node in enumerate(chosen)}
    total = sum(weights.values())
    return {
        "interleave": (mp.interleave(chosen), even),
        "interleave by pages": (mp.interleave(chosen, block=PAGE), even),
        "weighted": (mp.weighted(weights), {n: w / total for n, w in weights.items()}),
        "weighted by pages": (
            mp.weighted(weights, block=PAGE),
            {n: w / total for n, w in weights.items()},
        ),
        "blocks": (mp.blocks(chosen), even),
        "by rows": (mp.by_axis(0, chosen), even),
        "by columns": (mp.by_axis(1, chosen), even),
    }


def shaped(halves, order, node):
    """Return bytes and a 2-D view of them; the view does not start where a huge page does."""
    size = (halves + 2) * HALF
    if nodes.free_bytes(node) < 2 * size:
        pytest.skip(f"needs {2 * size:,} free bytes on node {node}")
    flat = memory.anonymous(size, node, huge=True)[5 * PAGE :][: halves * HALF]
    # Cutting a row (C order) or a column (F order) leaves each of up to four nodes a page or more.
    shape = (-1, PAGE // 2) if order == "C" else (PAGE // 2, -1)
    array = flat.view(np.float64).reshape(shape, order=order)
    array[:] = np.arange(array.shape[1])
    return flat, array


def sample_of(array):
    return array[::101, ::3].copy()


def move_quietly(array, layout, **how):
    """Move, and return the result and the texts of its warnings."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        result = mp.move(array, layout, **how)
    assert all(issubclass(each.category, mp.LayoutWarning) for each in told)
    return result, [str(each.message) for each in told]


def some_nodes(count):
    chosen = nodes.allowed()[:count]
    if len(chosen) < count:
        pytest.skip(f"needs {count} nodes with memory, this process may use {len(chosen)}")
    return chosen


def assert_shares(shares, found, nbytes, name):
    for node, share in shares.items():
        there = int((found == node).sum()) * PAGE
        assert abs(there - share * nbytes) <= memory.huge_page_size(), (name, node)


@pytest.mark.parametrize(
    ("halves", "order", "count"),
    [(2, "C", 2), (6, "F", 4), (8, "C", 4), (16, "C", 3), (16, "F", 2), (24, "F", 4), (64, "C", 2)],
)
def test_majority_gives_each_node_its_bytes(two_nodes, huge_page_size, halves, order, count):
    chosen = some_nodes(count)
    flat, array = shaped(halves, order, chosen[0])
    pages, before = memory.pages_of(flat), sample_of(array)
    for name, (layout, shares) in layouts_over(array, chosen).items():
        forecast = mp.plan(array, layout)
        r, told = move_quietly(array, layout)
        found = witness.nodes_at_once(pages)
        assert_shares(shares, found, flat.nbytes, name)
        # A move that reports success is one, page by page.
        assert r.ok == (r.overruled + r.torn == 0) == (not told), (name, str(r), told)
        assert np.array_equal(r.status, found), name
        if r.ok:
            assert np.array_equal(found, mp.targets(array, layout)), name
        if TOLD:
            assert (forecast.overruled, forecast.torn) == (r.overruled, r.torn), name
            on = {node: int((found == node).sum()) * PAGE for node in set(found.tolist())}
            assert forecast.expected == on, name
            assert sum(forecast.wanted.values()) == len(pages) * PAGE
    assert np.array_equal(sample_of(array), before)


@pytest.mark.parametrize(
    ("halves", "order", "count"), [(2, "C", 2), (6, "F", 4), (16, "C", 3), (24, "F", 2)]
)
def test_split_puts_each_page_on_its_target(two_nodes, huge_page_size, halves, order, count):
    chosen = some_nodes(count)
    for name in layouts_over(np.zeros((2, 2)), chosen):
        flat, array = shaped(halves, order, chosen[0])
        layout, shares = layouts_over(array, chosen)[name]
        before = sample_of(array)
        forecast = mp.plan(array, layout, on_conflict="split")
        r, told = move_quietly(array, layout, on_conflict="split")
        found = witness.nodes_at_once(memory.pages_of(flat))
        torn = r.torn > 0
        assert np.array_equal(found, mp.targets(array, layout)), (name, str(r))
        assert (r.ok, r.overruled, bool(told)) == (not torn, 0, torn), (name, str(r))
        assert np.array_equal(sample_of(array), before)
        assert_shares(shares, found, flat.nbytes, name)
        if TOLD:
            assert (r.split, 0) == (forecast.split, forecast.overruled), name
            assert forecast.expected == forecast.wanted


def test_columns_of_short_rows_are_torn(two_nodes, huge_page_size):
    """Each page holds a part of both columns, so no target for whole pages follows the layout."""
    here, there = two_nodes[:2]
    flat, _ = shaped(8, "C", here)
    array = flat.view(np.float64).reshape(-1, 256)
    r, told = move_quietly(array, mp.by_axis(1, [here, there]), on_conflict="split")
    found = witness.nodes_at_once(memory.pages_of(flat))
    assert_shares({here: 0.5, there: 0.5}, found, flat.nbytes, "by columns")
    assert (r.ok, r.torn, r.overruled) == (False, len(found), 0)
    assert "100.0%" in told[0]
    assert "np.asfortranarray" in told[0]
    with pytest.raises(mp.MovePagesError, match="torn: the layout cuts through single pages"):
        r.raise_for_status()


def test_warning_names_the_share_and_the_remedy(two_nodes, huge_page_size):
    here, there = two_nodes[:2]
    flat, array = shaped(8, "C", here)
    with pytest.warns(mp.LayoutWarning, match=r'\(50\.0%\) are not where .* on_conflict="split"'):
        r = mp.move(array, mp.by_axis(1, [here, there]))
    assert not r.ok
    with pytest.raises(mp.MovePagesError, match="overruled: the target cuts through huge pages"):
        r.raise_for_status()
    with warnings.catch_warnings(action="error"), pytest.raises(mp.LayoutWarning) as told:
        mp.move(array, mp.by_axis(1, [there, here]))
    found = witness.nodes_at_once(memory.pages_of(flat))
    assert np.array_equal(told.value.result.status, found)


def test_split_pages_stay_where_they_are(two_nodes, huge_page_size, need_root):
    """khugepaged would collapse them again, on the node that most of them are on."""
    here, there = two_nodes[:2]
    flat, array = shaped(8, "C", here)
    r = mp.move(array, mp.by_axis(1, [here, there]), on_conflict="split")
    assert (r.ok, r.split > 2) == (True, True)
    pages = memory.pages_of(flat)
    found = witness.nodes_at_once(pages)
    joined = memory.anonymous(4 * HALF)
    joined[:] = 1
    with khugepaged_in_a_hurry():
        # Once khugepaged has scanned memory that may be huge, it has scanned the rest, too.
        allow_huge(joined)
        wait_for(lambda: witness.huge_bytes(joined) > 0)
        time.sleep(1)
    assert np.array_equal(witness.nodes_at_once(pages), found)


@pytest.mark.parametrize("kind", ["locked", "shared with a child"])
def test_huge_pages_that_cannot_be_split_go_by_majority(two_nodes, huge_page_size, kind):
    here, there = two_nodes[:2]
    flat, array = shaped(4, "C", here)
    how = {"flags": mp.MPOL_MF_MOVE}
    with locked(flat) if kind == "locked" else processes.child():
        r, told = move_quietly(array, mp.by_axis(1, [here, there]), on_conflict="split", **how)
        found = witness.nodes_at_once(memory.pages_of(flat))
        assert np.array_equal(r.status >= 0, (r.status == found)), str(r)
        assert not r.ok
        assert bool(told) == (r.overruled > 0)
        if kind == "locked":
            assert r.overruled > 0
            assert_shares({here: 0.5, there: 0.5}, found, flat.nbytes, kind)
        else:
            assert r.failures.get(mp.PageStatus.EACCES, 0) > 0


def test_collapse_makes_huge_pages_again(two_nodes, huge_page_size):
    here, there = two_nodes[:2]
    flat, array = shaped(8, "C", here)
    before = sample_of(array)
    whole = memory.pages_of(flat)
    assert mp.move(array, mp.by_axis(1, [here, there]), on_conflict="split").ok
    seen = []
    r = mp.collapse(flat, progress=lambda done, total: seen.append((done, total)))
    frames = (int(whole[-1]) + PAGE) // huge_page_size - -(-int(whole[0]) // huge_page_size)
    assert r.collapsed + r.already_huge == frames * huge_page_size, str(r)
    assert (r.ok, r.nbytes) == (True, flat.nbytes)
    assert seen[-1] == (frames * huge_page_size,) * 2
    assert np.array_equal(sample_of(array), before)
    first = -int(whole[0]) % huge_page_size
    heads = witness.nodes_at_once(whole)[first // PAGE :][: frames * (huge_page_size // PAGE)]
    heads = heads.reshape(frames, -1)
    assert (heads == heads[:, :1]).all()
    again = mp.collapse(flat)
    assert again.collapsed + again.already_huge == r.collapsed + r.already_huge


def test_collapse_reports_why_it_failed(huge_page_size):
    r = mp.collapse(memory.anonymous(4 * HALF))
    assert r.failures
    assert sum(r.failures.values()) + r.outside == r.nbytes
    assert "EINVAL: no page is present" in str(r)
    with pytest.raises(ValueError, match="memory of this process"):
        mp.collapse(mp.Region(0, 4 * HALF, pid=1))


@pytest.mark.skipif(not TOLD, reason="before Linux 6.7 the page tables do not show huge pages")
def test_huge_bytes_of_a_placement(two_nodes, huge_page_size):
    here, there = two_nodes[:2]
    whole = memory.anonymous(8 * HALF, here, huge=True)
    assert witness.huge_bytes(whole) == 8 * HALF
    assert mp.where(whole).huge_bytes == 8 * HALF
    assert mp.where(whole[3 * HALF : 5 * HALF + 5]).huge_bytes == 2 * HALF + 5
    assert mp.where(whole[7:100]).huge_bytes == 93
    assert mp.where(whole.reshape(-1, 2 * PAGE)[:, :PAGE]).huge_bytes == 4 * HALF
    half = np.repeat([here, there], HALF // PAGE)
    r = mp.move(whole[: 2 * HALF], half, on_conflict="split")
    assert (r.ok, r.split) == (True, 1)
    assert witness.huge_bytes(whole) == mp.where(whole).huge_bytes == 6 * HALF
    assert mp.where(memory.anonymous(HALF, here)).huge_bytes == 0
