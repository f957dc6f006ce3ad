"""Lists of billions of pages: signals are handled at once, statuses are as for short lists."""

import ctypes
import mmap
import os
import signal
import time

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from support import memory, system

pytestmark = pytest.mark.host

NOT_ATTEMPTED = _core.NOT_ATTEMPTED
WINDOW = 64 << 20
MAP_FIXED, MAP_NORESERVE = 0x10, 0x4000
NO_PROCESS = 2**31 - 1


@pytest.fixture
def billions():
    """Yield two billion addresses in 64 MiB of memory, which is mapped again and again."""
    count = 1 << 31
    a = np.ones(memory.PAGE)
    file = os.memfd_create("repeated")
    os.ftruncate(file, WINDOW)
    np.frombuffer(mmap.mmap(file, WINDOW), np.uintp)[:] = a.ctypes.data
    # A library object of its own: changed argument types would affect every user of a shared one.
    libc = ctypes.CDLL(None)
    libc.mmap.restype = address = ctypes.c_void_p
    libc.mmap.argtypes = [address, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    nothing = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
    base = libc.mmap(None, count * 8, 0, nothing, -1, 0)
    for at in range(base, base + count * 8, WINDOW):
        flags = mmap.MAP_SHARED | MAP_FIXED
        assert libc.mmap(at, WINDOW, mmap.PROT_READ, flags, file, 0) == at
    os.close(file)
    yield np.frombuffer((ctypes.c_char * (count * 8)).from_address(base), np.uintp)
    system.succeed(libc.munmap(ctypes.c_void_p(base), ctypes.c_size_t(count * 8)))


def test_signal_is_handled_at_once(billions):
    at = None

    def interrupt(_signal, _frame):
        nonlocal at
        at = time.process_time()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        start = time.process_time()
        signal.setitimer(signal.ITIMER_REAL, 1.5)
        with pytest.raises(KeyboardInterrupt) as caught:
            mp.move_pages(billions)
        end = time.process_time()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    # CPU time, of which a busy machine gives no more. All pages take minutes of it, and writing all
    # statuses takes many seconds.
    assert at - start < 1.5 * len(os.sched_getaffinity(0)) + 3
    assert end - at < 3
    status, result = caught.value.status, caught.value.result
    told = result.already_there
    assert len(status) == result.pages == len(billions)
    assert 0 < told < len(billions)
    assert result.not_attempted == len(billions) - told
    assert (status[:told] >= 0).all()
    assert (status[told : told + 100_000] == NOT_ATTEMPTED).all()
    assert (status[-100_000:] == NOT_ATTEMPTED).all()


def test_unwritten_statuses_are_believed_once():
    a = np.ones(20 * memory.PAGE, np.uint8)
    pages = memory.pages_of(a)
    status = _core.untold(len(pages))
    assert (status == NOT_ATTEMPTED).all()
    assert mp.move_pages(pages, None, status) is status
    assert (status >= 0).all()
    with pytest.raises(mp.MovePagesLookupError):
        mp.move_pages(pages, None, status, pid=NO_PROCESS)
    assert (status == NOT_ATTEMPTED).all()


@pytest.mark.parametrize("nodes", [None, 0, np.zeros(100_000, np.int32)])
def test_a_call_that_fails_leaves_unwritten_statuses_as_they_were(nodes):
    pages = np.full(100_000, np.ones(1).ctypes.data, np.uintp)
    status = _core.untold(len(pages))
    with pytest.raises(mp.MovePagesLookupError):
        mp.move_pages(pages, nodes, status, pid=NO_PROCESS)
    assert (status == NOT_ATTEMPTED).all()


def test_impossible_number_of_statuses():
    assert _core.untold(2**62) is None
