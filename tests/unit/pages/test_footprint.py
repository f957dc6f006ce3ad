"""Footprints of common views, and refused input."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from footprint_fixtures import BASE, check_array, of
from movepages.pages.footprint import Footprint

# Arithmetic only, which is the same on every kernel.
pytestmark = pytest.mark.host


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


def test_gaps_between_the_rows_of_a_big_matrix_are_left_out():
    a = np.empty((100, 10_000))  # rows of 80,000 bytes; nothing is touched
    view = a[5:7, 3:9]
    footprint = of(view, 4096)
    assert footprint.dims == ((80_000, 2),)
    assert footprint.nbytes == 96
    assert 2 <= footprint.pages <= 4
    assert footprint.pages < footprint.span // 4096
    assert footprint.shared_edges == footprint.pages


def test_every_other_element_is_on_every_page():
    a = np.empty(1 << 20)
    assert of(a[::2]).pages in {of(a).pages, of(a[:-1]).pages}
    assert of(a[::2]).shared_edges == of(a[::2]).pages


def test_one_byte_a_page_is_a_span_a_page():
    a = np.empty(4096 * 50, np.uint8)
    footprint = of(a[::4096], 4096)
    assert footprint.pages == footprint.nbytes == footprint.shared_edges == 50


def test_neighbouring_spans_of_two_groups_share_a_page_once():
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
def test_empty_array(array):
    footprint = of(array)
    assert (footprint.nbytes, footprint.pages, footprint.shared_edges) == (0, 0, 0)
    assert list(footprint.chunks(10)) == []


def test_one_page_not_filled_is_one_shared_page():
    assert Footprint(4096 * 5 + 10, 100, page_size=4096).shared_edges == 1
    assert Footprint(4096 * 5, 4096, page_size=4096).shared_edges == 0
    assert Footprint(4096 * 5, 4097, page_size=4096).shared_edges == 1
    assert Footprint(4096 * 5 + 1, 4096, page_size=4096).shared_edges == 2


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
def test_error_names_the_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("block", "dims"),
    [
        (8, ((8, 1000),)),
        (40, ((40, 3), (40, 1))),
        (16, ((64, 40), (48, 2))),
        (40, ((104, 30), (64, 2))),
        (64, ((1000, 7), (64, 5))),
        (100, ((1500, 5), (500, 3), (110, 2))),
    ],
)
@pytest.mark.parametrize("address", [0, 7, 63, 64])
def test_pages_that_are_partly_covered_where_blocks_touch(block, dims, address):
    footprint = Footprint(address, block, dims, page_size=64)
    partly = sum(int(np.count_nonzero(nbytes < 64)) for _, nbytes in footprint.chunks(10))
    assert footprint.shared_edges == partly
