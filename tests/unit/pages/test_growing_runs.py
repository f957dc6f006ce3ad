"""Runs that come in parts: nothing is lost when they are merged, and parts take no room."""

import mmap
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import movepages as mp
from movepages.migration import sizes, tally
from movepages.pages import runs
from movepages.pages.runs import GrowingRuns, join_runs, make_runs
from support import memory

PAGE = 4096
# Pages, status, and whether the run begins behind a gap.
RUN = st.tuples(st.integers(1, 3), st.sampled_from([-2, 0, 1]), st.booleans())


def laid_out(lengths):
    pages, status, gaps = (np.array(column) for column in zip(*lengths, strict=True))
    start = np.cumsum(pages) - pages + np.cumsum(gaps)
    return make_runs(start * PAGE, pages, pages * PAGE, status)


@pytest.mark.host
@given(st.lists(st.lists(RUN, min_size=1, max_size=3), min_size=1, max_size=40))
def test_merging_on_the_way_changes_nothing(parts):
    flat = laid_out([run for part in parts for run in part])
    edges = np.cumsum([len(part) for part in parts])[:-1]
    growing = GrowingRuns(PAGE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_FEW_PARTS", 1)
        for part in np.split(flat, edges):
            growing.add(part)
    assert np.array_equal(growing.joined(), join_runs([flat], PAGE))


def test_many_parts_of_uniform_memory_take_no_room():
    growing = GrowingRuns(PAGE)
    start, one = np.arange(5000, dtype=np.uintp) * np.uintp(PAGE), np.ones(5000, np.int64)
    whole = make_runs(start, one, one * PAGE, np.zeros(5000, np.int32))
    tracemalloc.start()
    try:
        for part in range(5000):
            growing.add(whole[part : part + 1].copy())
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert growing.joined()["pages"].tolist() == [5000]


@pytest.mark.parametrize("restored", [False, True])
def test_a_move_of_many_slices_has_the_result_of_one(monkeypatch, restored):
    a = np.frombuffer(mmap.mmap(-1, 16 << 20), np.uint8)
    # This thread may change to the CPU of another node while it writes. Then only the first move
    # would have pages to move.
    memory.bind(a, mp.topology().allowed_nodes[0])
    a[:: 5 * mmap.PAGESIZE] = 1
    target = mp.where(a) if restored else next(iter(mp.where(a).bytes_per_node))
    whole = mp.move(a, target)
    for name in ("MOVE_PAGES", "SLICE_PAGES"):
        monkeypatch.setattr(sizes, name, 512)
    monkeypatch.setattr(tally, "_FEW", 1)
    parts = mp.move(a, target)
    assert np.array_equal(parts.runs, whole.runs)
    assert parts.as_dict() | {"seconds": 0} == whole.as_dict() | {"seconds": 0}
