"""A target reports the same for runs of pages as for their pages one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import movepages as mp
from movepages.layouts.patterns import NOWHERE
from movepages.layouts.targets import as_target
from movepages.pages.buffers import footprint_of
from movepages.pages.footprint import Footprint
from movepages.pages.runs import make_runs
from movepages.results.placement import Placement

# Targets are the same on every kernel.
pytestmark = pytest.mark.host

PAGE = 64

FOOTPRINTS = st.one_of(
    st.builds(Footprint, st.integers(0, 200), st.integers(1, 60 * PAGE), page_size=st.just(PAGE)),
    st.builds(
        lambda address, block, gap, count: Footprint(
            address, block, ((block + gap, count),), page_size=PAGE
        ),
        st.integers(0, 200),
        st.integers(1, 5 * PAGE),
        st.integers(0, 9 * PAGE),
        st.integers(1, 20),
    ),
)
STATUSES = st.sampled_from([0, 1, -2, -14])


def pages_of(footprint):
    """Return the address of each page."""
    return np.concatenate([np.empty(0, np.uintp), *(some for some, _ in footprint.chunks(50))])


def placement_of(footprint, runs):
    """Return a placement with the statuses of `runs`, given as (pages, status)."""
    status = np.repeat([s for _, s in runs], [n for n, _ in runs])[: footprint.pages]
    status = np.append(status, np.zeros(footprint.pages - len(status), int)).astype(np.int32)
    address = pages_of(footprint)
    ones = np.ones(len(address), np.int64)
    return Placement(
        address=footprint.address,
        nbytes=footprint.nbytes,
        pages=footprint.pages,
        page_size=footprint.page_size,
        shared_edges=0,
        runs=make_runs(address, ones, footprint.held(address, ones), status),
    )


@st.composite
def placements(draw, footprint=None):
    of = draw(FOOTPRINTS) if footprint is None else footprint
    runs = st.lists(st.tuples(st.integers(1, 30), STATUSES), min_size=1, max_size=8)
    return placement_of(of, draw(runs))


def check(target, footprint, cuts):
    """Cut all pages into runs of neighbours, and compare their counts with a count page by page."""
    address = pages_of(footprint)
    index = np.arange(len(address))
    nowhere = target.nodes_for(index, address) == NOWHERE
    gaps = np.flatnonzero(np.diff(address) != PAGE) + 1
    first = np.unique([0, *gaps.tolist(), *(each % len(address) for each in cuts)])
    pages = np.diff(first, append=len(address))
    found = target.count_nowhere(first, address[first], pages)
    assert found.dtype == np.int64
    assert found.tolist() == np.add.reduceat(nowhere.astype(int), first).tolist()
    # The pages need not be neighbours, and some may be left out.
    some = index[1::3]
    assert np.array_equal(
        target.nodes_for(some, address[some]), target.nodes_for(index, address)[1::3]
    )


CUTS = st.lists(st.integers(0, 1000), max_size=12)


@given(st.data(), FOOTPRINTS, CUTS)
def test_runs_of_a_placement_to_restore(data, footprint, cuts):
    placement = data.draw(placements(footprint))
    check(as_target(placement, None, footprint), footprint, cuts)


@given(placements(), FOOTPRINTS, CUTS)
def test_runs_of_a_placement_to_follow(placement, footprint, cuts):
    check(mp.like(placement).over(None, footprint), footprint, cuts)


@given(FOOTPRINTS, CUTS)
def test_runs_of_targets_for_every_page(footprint, cuts):
    nodes = np.arange(footprint.pages) % 3
    check(as_target(1, None, footprint), footprint, cuts)
    check(as_target(nodes, None, footprint), footprint, cuts)
    layouts = [mp.blocks([0, 1]), mp.weighted({0: 2, 1: 1}), mp.interleave([0, 1, 0])]
    for layout in layouts:
        check(as_target(layout, None, footprint), footprint, cuts)
    a = np.zeros((3, 500))
    of_array = footprint_of(a, page_size=PAGE)
    check(as_target(mp.by_axis(0, [0, 1]), a, of_array), of_array, cuts)


def test_runs_without_pages():
    empty = np.empty(0, np.int64)
    footprint = Footprint(0, PAGE * 4, page_size=PAGE)
    nothing = Footprint(0, 0, page_size=PAGE)
    placement = placement_of(footprint, [(2, -2), (2, 1)])
    for target in (
        as_target(placement, None, footprint),
        mp.like(placement).over(None, footprint),
        mp.like(placement_of(nothing, [])).over(None, footprint),
    ):
        assert target.count_nowhere(empty, empty.astype(np.uintp), empty).tolist() == []
