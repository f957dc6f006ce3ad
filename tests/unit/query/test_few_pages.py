"""A query of a few pages, which takes one call, against the driver's and the rules of arguments."""

import errno
import mmap

import numpy as np
import pytest

import movepages as mp
from movepages import _core

PAGE = mmap.PAGESIZE
# Most pages that one call takes; beyond them the driver does the work.
FEW = 64


@pytest.fixture(scope="module")
def touched():
    return np.ones((FEW + 1) * PAGE, np.uint8)


def pages_of(array):
    start = array.ctypes.data
    return np.arange(start, start + array.nbytes, PAGE, np.uintp)


def by_driver(pages):
    status = np.empty(len(pages), np.int32)
    assert _core.move_pages(pages, None, status, 0, mp.MPOL_MF_MOVE, None) is None
    return status


@pytest.mark.parametrize("count", [1, 2, FEW - 1, FEW, FEW + 1])
def test_answers_of_the_driver(touched, count):
    pages = pages_of(touched)[:count]
    expected = by_driver(pages)
    few = _core.query_few(pages, None)
    assert (few is None) == (count > FEW)
    assert few is None or (few.dtype == np.int32 and np.array_equal(few, expected))
    assert np.array_equal(mp.move_pages(pages), expected)
    status = np.full(count, 77, np.int32)
    assert mp.move_pages(pages, None, status) is status
    assert np.array_equal(status, expected)


def test_absent_pages_are_left_to_the_driver(touched):
    with mmap.mmap(-1, PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as hole:
        absent = np.frombuffer(hole, np.uint8)
        pages = np.append(pages_of(touched)[:3], np.uintp(absent.ctypes.data))
        assert _core.query_few(pages, None) is None
        status = np.empty(4, np.int32)
        assert _core.query_few(pages, status) is None
        assert mp.move_pages(pages, None, status).tolist() == by_driver(pages).tolist()
        assert status[3] in (-errno.ENOENT, -errno.EFAULT)
        del absent


def others(pages):
    read_only = np.empty(2, np.int32)
    read_only.flags.writeable = False
    odd = np.empty(9, np.uint8)[1:].view(np.int32)
    return {
        "empty": (pages[:0], None),
        "list": (pages.tolist(), None),
        "signed": (pages.astype(np.int64), None),
        "swapped": (pages.astype(pages.dtype.newbyteorder()), None),
        "strided": (np.repeat(pages, 2)[::2], None),
        "two axes": (pages[np.newaxis], None),
        "no axis": (pages[0], None),
        "subclass": (pages.view(np.recarray), None),
        "masked": (np.ma.array(pages), None),
        "status too long": (pages, np.empty(3, np.int32)),
        "status strided": (pages, np.empty(4, np.int32)[::2]),
        "status unaligned": (pages, odd),
        "status read-only": (pages, read_only),
        "status wide": (pages, np.empty(2, np.int64)),
        "status masked": (pages, np.ma.array(np.empty(2, np.int32))),
        "status list": (pages, [0, 0]),
        "status in pages": (pages, pages.view(np.int32)[1:3]),
    }


@pytest.mark.parametrize("name", others(np.zeros(2, np.uintp)))
def test_other_arguments_are_left_to_the_checks(touched, name):
    pages = pages_of(touched)[:2]
    before = pages.copy()
    pages, status = others(pages)[name]
    assert _core.query_few(pages, status) is None
    if isinstance(status, np.ndarray) and np.may_share_memory(pages, status):
        assert np.array_equal(pages, before)


def test_memory_beside_the_pages_may_hold_the_status(touched):
    whole = np.zeros(32, np.uint8)
    pages, status = whole[8:24].view(np.uintp), whole[24:].view(np.int32)
    pages[:] = pages_of(touched)[:2]
    assert mp.move_pages(pages, None, status) is status
    assert np.array_equal(status, by_driver(pages))
    status = whole[:8].view(np.int32)
    assert np.array_equal(mp.move_pages(pages, None, status), by_driver(pages))


@pytest.mark.parametrize(("pid", "flags"), [(False, 2), (0, 2.0), (0.0, 2), (0, True), ("0", 2)])
def test_wrong_process_and_flags_are_refused(touched, pid, flags):
    with pytest.raises(TypeError):
        mp.move_pages(pages_of(touched)[:1], pid=pid, flags=flags)
