"""The comb arithmetic against a brute force which lists every byte address."""

import itertools
import mmap
import time
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from movepages.footprint import Footprint

# Arithmetic alone, which no kernel has a part in.
pytestmark = pytest.mark.host

BASE = 0x7F0000000000
TERABYTE = 1 << 40

page_sizes = st.sampled_from([1, 2, 16, 32, 64])


def brute_bytes(address, shape, strides, itemsize):
    """Every distinct byte address."""
    starts = (
        address + sum(i * s for i, s in zip(index, strides, strict=True))
        for index in itertools.product(*map(range, shape))
    )
    return {start + k for start in starts for k in range(itemsize)}


def check(footprint, expected):
    """Everything a footprint says, against the set of its byte addresses."""
    page = footprint.page_size
    per_page = Counter(byte // page * page for byte in expected)
    assert footprint.nbytes == len(expected)
    assert footprint.pages == len(per_page)
    assert footprint.shared_edges == sum(n < page for n in per_page.values())
    if expected:
        assert footprint.address == min(expected)
        assert footprint.span == max(expected) - min(expected) + 1
    for limit in {1, 2, 3, 7, max(1, len(per_page) - 1), len(per_page) + 1}:
        chunks = list(footprint.chunks(limit))
        assert all(len(a) == len(b) for a, b in chunks)
        assert [len(a) for a, _ in chunks[:-1]] == [limit] * (len(chunks) - 1)
        assert all(0 < len(a) <= limit for a, _ in chunks)
        addresses = [int(x) for a, _ in chunks for x in a]
        assert addresses == sorted(per_page)
        assert [int(x) for _, b in chunks for x in b] == [per_page[x] for x in addresses]


def of(array, page_size=mmap.PAGESIZE, address=None):
    """The footprint of an array, at its own address or at a made-up one."""
    where = array.ctypes.data if address is None else address
    return Footprint.from_strides(
        where, array.shape, array.strides, array.itemsize, page_size=page_size
    )


def check_array(array, page_size=64):
    footprint = of(array, page_size)
    check(footprint, brute_bytes(array.ctypes.data, array.shape, array.strides, array.itemsize))
    return footprint


@st.composite
def views(draw):
    """Views made by ordinary numpy: slices of any step, transposes, windows, broadcasts."""
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


@settings(deadline=None)
@given(views(), st.integers(0, 100), page_sizes)
def test_views_which_numpy_makes(array, offset, page_size):
    address = BASE + 4096 + offset
    footprint = of(array, page_size, address)
    check(footprint, brute_bytes(address, array.shape, array.strides, array.itemsize))


@settings(deadline=None)
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


@settings(deadline=None)
@given(
    st.integers(1, 8),
    st.integers(0, 90),
    st.integers(1, 4),
    st.integers(0, 90),
    st.integers(1, 70),
    st.integers(0, 40),
)
def test_long_combs_repeat(block, gap, inner_count, outer_gap, count, offset):
    """Counts far above a period, so that pages and shared_edges are extrapolated."""
    inner = block + gap
    outer = inner * (inner_count - 1) + block + outer_gap
    shape, strides = (count, inner_count, block), (outer, inner, 1)
    footprint = Footprint.from_strides(BASE + offset, shape, strides, 1, page_size=16)
    per_page = Counter(b // 16 for b in brute_bytes(BASE + offset, shape, strides, 1))
    assert footprint.pages == len(per_page)
    assert footprint.shared_edges == sum(n < 16 for n in per_page.values())


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**7), st.sampled_from([4096, 16384, 65536]))
def test_contiguous_real_page_sizes(offset, nbytes, page_size):
    footprint = Footprint(BASE + offset, nbytes, page_size=page_size)
    first, end = (BASE + offset) // page_size, -(-(BASE + offset + nbytes) // page_size)
    assert footprint.pages == (end - first if nbytes else 0)
    chunks = list(footprint.chunks(100))
    assert sum(len(a) for a, _ in chunks) == footprint.pages
    assert sum(int(b.sum()) for _, b in chunks) == nbytes
    assert footprint.shared_edges == sum(int((b < page_size).sum()) for _, b in chunks)


def matrix(rows=40, columns=30):
    return np.zeros((rows, columns))


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::2],
        lambda a: a[:, ::2],
        lambda a: a[:, ::-1],
        lambda a: a[::-3, ::-2],
        lambda a: a.T,
        lambda a: a[5:7, 3:9],
        lambda a: a[::20, 3:9].T,
        lambda a: a[3:4, 5:6],
        lambda a: a.reshape(4, 10, 30)[:, ::3, :2],
        lambda a: np.einsum("ijij->ij", a[:30].reshape(5, 6, 5, 6)),
    ],
)
def test_views_without_overlap_keep_their_nbytes(view):
    array = view(matrix())
    assert check_array(array).nbytes == array.nbytes


@pytest.mark.parametrize("view", [lambda a: a.T, lambda a: a[:, ::-1], lambda a: a[::-1].T])
def test_order_and_direction_do_not_matter(view):
    a = matrix()
    assert of(view(a)) == of(a)


def test_rows_of_a_big_matrix_leave_their_gap_out():
    a = np.empty((100, 10_000))  # rows of 80,000 bytes; nothing is touched
    view = a[5:7, 3:9]
    footprint = of(view, 4096)
    assert footprint.dims == ((80_000, 2),)
    assert footprint.nbytes == 96
    assert 2 <= footprint.pages <= 4
    assert footprint.pages < footprint.span // 4096
    assert footprint.shared_edges == footprint.pages


def test_every_other_element_hides_no_page():
    a = np.empty(1 << 20)
    assert of(a[::2]).pages in {of(a).pages, of(a[:-1]).pages}
    assert of(a[::2]).shared_edges == of(a[::2]).pages


def test_one_byte_a_page_is_a_tooth_a_page():
    a = np.empty(4096 * 50, np.uint8)
    footprint = of(a[::4096], 4096)
    assert footprint.pages == footprint.nbytes == footprint.shared_edges == 50


def test_neighbouring_teeth_of_two_groups_share_a_page_once():
    footprint = Footprint.from_strides(BASE, (2, 10), (950, 100), 10, page_size=64)
    assert footprint.dims == ((950, 2), (100, 10))
    pages = np.concatenate([a for a, _ in footprint.chunks(3)])
    assert len(set(pages.tolist())) == len(pages) == footprint.pages
    assert (BASE + 896) in pages.tolist()


def test_broadcast_counts_once():
    a = np.zeros(100)
    wide = np.broadcast_to(a, (10**9, 100))
    assert of(wide) == of(a)
    assert of(wide).nbytes == a.nbytes
    assert of(np.broadcast_to(np.float64(1), (7, 7))).nbytes == 8


def test_windows_count_once():
    a = np.zeros(200)
    assert of(sliding_window_view(a, 20)) == of(a)
    every_fifth = sliding_window_view(a[::5], 7)[::2]
    assert check_array(every_fifth).dims == ((40, 39),)
    b = matrix()[:, ::4]
    assert check_array(sliding_window_view(b, (3, 3))).nbytes == b.nbytes


def test_field_of_a_record():
    records = np.zeros(50, [("id", "i2"), ("position", "f4", 3), ("mass", "f8")])
    assert check_array(records["position"]).dims == ((22, 50),)
    assert check_array(records["position"]).block == 12
    assert check_array(records[["id", "mass"]]).nbytes == records.nbytes


def test_imaginary_part():
    z = np.zeros(50, complex)
    assert check_array(z.imag).address == z.ctypes.data + 8
    assert check_array(z.imag).nbytes == 400


def test_scalar_array():
    assert check_array(np.array(1.0)).nbytes == 8


@pytest.mark.parametrize("array", [np.empty(0), np.empty((3, 0, 5))[:, :, ::2], np.empty(4, "V0")])
def test_nothing(array):
    footprint = of(array)
    assert (footprint.nbytes, footprint.pages, footprint.shared_edges) == (0, 0, 0)
    assert list(footprint.chunks(10)) == []


def test_one_page_not_filled_is_one_shared_page():
    assert Footprint(4096 * 5 + 10, 100, page_size=4096).shared_edges == 1
    assert Footprint(4096 * 5, 4096, page_size=4096).shared_edges == 0
    assert Footprint(4096 * 5, 4097, page_size=4096).shared_edges == 1
    assert Footprint(4096 * 5 + 1, 4096, page_size=4096).shared_edges == 2


def test_top_of_the_address_space():
    footprint = Footprint(2**64 - 8192, 8192, page_size=4096)
    ((addresses, nbytes),) = footprint.chunks(10)
    assert addresses.tolist() == [2**64 - 8192, 2**64 - 4096]
    assert nbytes.tolist() == [4096, 4096]
    everything = Footprint(0, 2**64, page_size=4096)
    assert everything.pages == 2**52
    assert next(everything.chunks(2))[0].tolist() == [0, 4096]
    comb = Footprint(2**64 - 8192, 1, ((8191, 2),), 4096)
    ((addresses, nbytes),) = comb.chunks(10)
    assert addresses.tolist() == [2**64 - 8192, 2**64 - 4096]
    assert nbytes.tolist() == [1, 1]


def test_dtypes_and_ownership_of_chunks():
    for footprint in (Footprint(BASE, 10**5), Footprint(BASE, 8, ((10**5, 100),))):
        chunks = list(footprint.chunks(7))
        assert {(a.dtype, b.dtype) for a, b in chunks} == {(np.dtype(np.uintp), np.dtype(np.int64))}
        assert not any(
            np.shares_memory(x, y) for (x, _), (y, _) in itertools.combinations(chunks, 2)
        )


def first_chunk_cost(footprint, limit):
    """Seconds and peak bytes for the first chunk."""
    tracemalloc.start()
    try:
        start = time.perf_counter()
        addresses, _ = next(footprint.chunks(limit))
        seconds = time.perf_counter() - start
        return addresses, seconds, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "footprint",
    [
        Footprint(BASE, TERABYTE, page_size=4096),
        Footprint(BASE, 8, ((16, TERABYTE // 16),), 4096),
        Footprint(BASE, 8, ((10_000, 10**8),), 4096),
        Footprint(BASE, 8, ((10**9, 1000), (10_000, 10**5)), 4096),
        Footprint(BASE, 10**10, ((10**10 + 8192, 100),), 4096),
    ],
    ids=["contiguous", "every other", "1e8 teeth", "1e8 teeth in two dims", "long teeth"],
)
def test_huge_footprints_stream_in_bounded_memory(footprint):
    addresses, seconds, peak = first_chunk_cost(footprint, 10_000)
    assert len(addresses) == 10_000
    assert addresses[0] == BASE
    assert peak < 8 << 20
    assert seconds < 1  # some milliseconds; a chunk which depends on the size takes minutes


def test_counting_a_terabyte_is_closed_form():
    start = time.perf_counter()
    assert Footprint(BASE, TERABYTE, page_size=4096).pages == TERABYTE // 4096
    every_other = Footprint(BASE, 8, ((16, TERABYTE // 16),), 4096)
    assert every_other.pages == every_other.shared_edges == TERABYTE // 4096
    sparse = Footprint(BASE, 8, ((8192, 10**8),), 4096)
    assert sparse.pages == sparse.shared_edges == 10**8
    crossing = Footprint(BASE + 4092, 8, ((8192, 10**8),), 4096)
    assert crossing.pages == 2 * 10**8
    assert time.perf_counter() - start < 1


def test_interleaving_strides_are_refused():
    with pytest.raises(ValueError, match=r"stride of 24 bytes.*152 bytes.*pass the base array"):
        Footprint.from_strides(BASE, (10, 10), (24, 16), 8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Footprint(0, 1, page_size=1000), "power of two, got 1000"),
        (lambda: Footprint(0, 1, page_size=0), "power of two, got 0"),
        (lambda: Footprint(-1, 1), r"\[0, 2\*\*64\)"),
        (lambda: Footprint(2**64 - 1, 2), r"\[0, 2\*\*64\)"),
        (lambda: Footprint(0, -1), r"\[0, 2\*\*64\)"),
        (lambda: Footprint(0, 8, ((4, 2),)), "do not nest"),
        (lambda: Footprint(0, 8, ((16, 0),)), "do not nest"),
        (lambda: Footprint(0, 0, ((16, 2),)), "must hold bytes"),
        (lambda: Footprint(0, 8, ((2**62, 2),)), r"span less than 2\*\*62"),
        (lambda: Footprint.from_strides(8, (3,), (-8,), 8), r"\[0, 2\*\*64\)"),
        (lambda: Footprint(0, 1).chunks(0), "at least 1, got 0"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_chunk_size_must_be_an_integer():
    with pytest.raises(TypeError, match="float"):
        Footprint(0, 1).chunks(1.5)
