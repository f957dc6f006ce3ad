"""Footprints of arbitrary views and strides, compared with a brute force."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from footprint_fixtures import BASE, brute_bytes, check, of
from movepages.pages.footprint import Footprint

# Arithmetic only, which is the same on every kernel.
pytestmark = pytest.mark.host

page_sizes = st.sampled_from([1, 2, 16, 32, 64])


@st.composite
def views(draw):
    """Return views made by ordinary numpy: slices of any step, transposes, windows, broadcasts."""
    shape = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    array = np.zeros(shape, f"V{draw(st.integers(1, 12))}")
    axis = st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([1, 2, 3, 5, -1, -2]))
    for _ in range(draw(st.integers(1, 2))):
        cut = [draw(axis) for _ in array.shape]
        array = array[tuple(slice(a, n - b) for n, (a, b, _) in zip(array.shape, cut, strict=True))]
        array = array[tuple(slice(None, None, c[2]) for c in cut)]
    if draw(st.booleans()) and array.size:
        window = [draw(st.integers(1, min(n, 4))) for n in array.shape]
        array = sliding_window_view(array, window)
        array = array[tuple(slice(None, None, draw(st.integers(1, 3))) for _ in window)]
    array = array.transpose(draw(st.permutations(range(array.ndim))))
    if draw(st.booleans()):
        array = np.broadcast_to(array, (draw(st.integers(0, 3)), *array.shape))
    return array


@given(views(), st.integers(0, 100), page_sizes)
def test_views_which_numpy_makes(array, offset, page_size):
    address = BASE + 4096 + offset
    footprint = of(array, page_size, address)
    check(footprint, brute_bytes(address, array.shape, array.strides, array.itemsize))


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(-70, 70)), max_size=3),
    st.integers(1, 20),
    st.integers(0, 100),
    page_sizes,
)
def test_any_strides_are_right_or_refused(axes, itemsize, offset, page_size):
    shape, strides = [n for n, _ in axes], [s for _, s in axes]
    address = BASE + 4096 + offset
    try:
        footprint = Footprint.from_strides(address, shape, strides, itemsize, page_size=page_size)
    except ValueError:
        pairs = sorted((abs(s), n) for n, s in axes if s and n > 1)
        reach = itertools.accumulate((s * (n - 1) for s, n in pairs), initial=itemsize)
        assert any(s < r for (s, _), r in zip(pairs, reach, strict=False))
    else:
        check(footprint, brute_bytes(address, shape, strides, itemsize))


@given(
    st.integers(1, 8),
    st.integers(0, 90),
    st.integers(1, 4),
    st.integers(0, 90),
    st.integers(1, 70),
    st.integers(0, 40),
)
def test_long_combs_repeat(block, gap, inner_count, outer_gap, count, offset):
    """Counts are far above a period, so that pages and shared_edges are extrapolated."""
    inner = block + gap
    outer = inner * (inner_count - 1) + block + outer_gap
    shape, strides = (count, inner_count, block), (outer, inner, 1)
    footprint = Footprint.from_strides(BASE + offset, shape, strides, 1, page_size=16)
    per_page = Counter(b // 16 for b in brute_bytes(BASE + offset, shape, strides, 1))
    assert footprint.pages == len(per_page)
    assert footprint.shared_edges == sum(n < 16 for n in per_page.values())


@given(st.integers(0, 10**6), st.integers(0, 10**7), st.sampled_from([4096, 16384, 65536]))
def test_contiguous_real_page_sizes(offset, nbytes, page_size):
    footprint = Footprint(BASE + offset, nbytes, page_size=page_size)
    first, end = (BASE + offset) // page_size, -(-(BASE + offset + nbytes) // page_size)
    assert footprint.pages == (end - first if nbytes else 0)
    chunks = list(footprint.chunks(100))
    assert sum(len(a) for a, _ in chunks) == footprint.pages
    assert sum(int(b.sum()) for _, b in chunks) == nbytes
    assert footprint.shared_edges == sum(int((b < page_size).sum()) for _, b in chunks)
