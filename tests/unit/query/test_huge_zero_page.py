"""The huge zero page is on no node, although the page tables show it like pages of a file."""

import errno

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from support import memory
from support.memory import PAGE
from support.sandboxes import engine

NODE = mp.topology().allowed_nodes[0]
FAULT = -errno.EFAULT


@pytest.fixture
def half_zero(huge_page_size):
    """Return small pages of the size of a huge page, and the huge zero page behind them."""
    a = memory.anonymous(2 * huge_page_size, huge=True)
    memory.keep_as_it_is(a[:huge_page_size])
    a[:huge_page_size] = 1
    assert a[huge_page_size] == 0
    zero = mp.move_pages(memory.pages_of(a[huge_page_size:]))
    if set(zero.tolist()) != {FAULT}:
        pytest.skip("needs the huge zero page, see transparent_hugepage/use_zero_page")
    return a


def surveyed(starts, pages, by_number):
    rows = np.array(starts, np.uintp), np.array(pages, np.int64)
    failure, _, count, status, _ = _core.survey(
        *rows, 0, mp.MPOL_MF_MOVE, 1, 1, by_number, True, False, None
    )
    assert failure is None
    # Page tables show that a page is the zero page, and then nobody asks for its status.
    status[status == mp.PageStatus.NOT_ATTEMPTED.value] = FAULT
    return np.repeat(status, count).tolist()


def test_its_frame_number_shows_no_node(half_zero, need_root):
    if not _core.shows_frame_numbers():
        pytest.skip("needs page frame numbers, which this process cannot read")
    start, zero = half_zero.ctypes.data, half_zero.ctypes.data + half_zero.nbytes // 2
    # The first row consists of small pages, so that the second is read without a scan. The few zero
    # pages at its end are not in the sample.
    rows = [start, zero - 100 * PAGE], [100, 120]
    expected = surveyed(*rows, by_number=0)
    assert expected[-20:] == [FAULT] * 20
    assert surveyed(*rows, by_number=1) == expected


@pytest.mark.parametrize("pages", [1, 20, 100])
def test_the_policy_engine_finds_no_node(half_zero, pages):
    zero = half_zero[half_zero.nbytes // 2 :][: pages * PAGE]
    with engine("policy"):
        assert mp.move_pages(memory.pages_of(zero)).tolist() == [FAULT] * pages
        assert mp.where(zero).absent_bytes == zero.nbytes
        assert mp.move(zero, NODE).already_there == 0


@pytest.mark.skipif(
    _core.scan_huge(0, PAGE, 0) is None, reason="needs PAGEMAP_SCAN, which came with Linux 6.7"
)
def test_collapse_does_not_take_it_for_a_huge_page(half_zero):
    zero = half_zero[half_zero.nbytes // 2 :]
    r = mp.collapse(zero)
    assert (r.ok, r.already_huge, r.failures) == (False, 0, {errno.EINVAL: zero.nbytes})
