"""Long calls: they release the GIL, Ctrl-C ends them, and threads do not disturb each other."""

import contextlib
import math
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import movepages as mp
from interruptions import collected
from movepages.query import page_query
from movepages.query.survey import survey_rows
from movepages.system.maps import read_mappings
from support import memory

PAGE = mp.topology().page_size
NOT_ATTEMPTED = mp.PageStatus.NOT_ATTEMPTED
# Unmapped addresses are the quickest to query; this many take the kernel a second or more.
MANY = 20_000_000


@pytest.fixture(scope="module")
def long_query():
    pages = np.zeros(MANY, np.uintp)
    return pages, np.empty(MANY, np.int32)


@pytest.fixture(scope="module")
def a_while(long_query):
    """Return seconds after which a long call is under way and far from its end, on any machine.

    From its first answer on, half of them are enough.
    """
    pages, status = (whole[: MANY // 20] for whole in long_query)
    # Other load makes a call longer, never shorter.
    shortest = math.inf
    for _ in range(5):
        start = time.monotonic()
        mp.move_pages(pages, None, status)
        shortest = min(shortest, time.monotonic() - start)
    # Two threads on one CPU have first results after two of these; a whole call takes ten or more.
    return max(3.5 * shortest, 0.05)


@contextlib.contextmanager
def interrupted_with(exception, after):
    """Raise `exception` in the main thread, by a signal `after` this many seconds.

    With None, the block itself starts the timer.
    """

    def interrupt(_signal, _frame):
        raise exception

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, after or 0)
    try:
        with pytest.raises(exception) as caught:
            yield caught
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def page_by_page(monkeypatch):
    """Make where() query every page, as before Linux 6.7: unmapped memory is too quick otherwise.

    Return a list: a delay put there starts the timer when the first answer has come.
    """
    delays = []

    def ask(addresses, pages, **how):
        found = survey_rows(addresses, pages, **how | {"fewest": None})
        if delays:
            signal.setitimer(signal.ITIMER_REAL, delays.pop())
        return found

    monkeypatch.setattr(page_query, "survey_rows", ask)
    return delays


def assert_true_prefix(status, result):
    """Check that pages before the signal have a status, and pages after it have none."""
    done = int(np.argmax(status == NOT_ATTEMPTED))
    assert 0 < done < len(status)
    assert (status[:done] == mp.PageStatus.EFAULT).all()
    assert (status[done:] == NOT_ATTEMPTED).all()
    assert (result.failed, result.not_attempted) == (done, len(status) - done)


def test_ctrl_c_ends_a_long_query_with_what_is_done(long_query, a_while):
    pages, status = long_query
    with interrupted_with(KeyboardInterrupt, a_while) as caught:
        mp.move_pages(pages, None, status)
    assert caught.value.status is status
    assert_true_prefix(status, caught.value.result)
    # It ended soon: a good part of the work was left.
    assert caught.value.result.not_attempted > MANY // 10


def test_ctrl_c_ends_a_long_move_with_what_is_done(long_query, a_while):
    pages, status = long_query
    node = mp.topology().allowed_nodes[0]
    with interrupted_with(KeyboardInterrupt, a_while) as caught:
        mp.move_pages(pages, node, status)
    assert_true_prefix(status, caught.value.result)


def test_ctrl_c_ends_move_with_a_result(a_while, page_by_page):
    region = mp.Region(memory.UNMAPPED, MANY * PAGE)
    node = mp.topology().allowed_nodes[0]
    page_by_page.append(a_while / 2)
    with interrupted_with(KeyboardInterrupt, None) as caught:
        mp.move(region, node)
    result = caught.value.result
    assert result.pages == MANY
    assert 0 < result.not_attempted < MANY
    assert result.failed + result.not_attempted == MANY


class OutOfTimeError(ValueError):
    """A ValueError, which refused arguments raise as well."""


def test_whatever_the_handler_raises_carries_the_outcome(long_query, a_while):
    pages, status = long_query
    with interrupted_with(OutOfTimeError, a_while) as caught:
        mp.move_pages(pages, None, status)
    assert_true_prefix(status, caught.value.result)
    assert any("move_pages" in entry.name for entry in caught.traceback)


def test_an_interrupted_query_has_moved_nothing(long_query, a_while):
    # Not a piece of a huge page: the answer to a list of so many of these takes no time.
    page = memory.anonymous(PAGE)
    memory.touch(page)
    pages, status = np.full(MANY, page.ctypes.data, np.uintp), long_query[1]
    with interrupted_with(KeyboardInterrupt, a_while) as caught:
        mp.move_pages(pages, None, status)
    result = caught.value.result
    assert (result.moved, result.failed) == (0, 0)
    assert 0 < result.already_there == int((status >= 0).sum()) < MANY


def test_interrupted_where_counts_all_its_pages(a_while, page_by_page):
    page_by_page.append(a_while / 2)
    with interrupted_with(KeyboardInterrupt, None) as caught:
        mp.where(mp.Region(memory.UNMAPPED, MANY * PAGE))
    result = caught.value.result
    assert (result.pages, result.moved) == (MANY, 0)
    assert 0 < result.failed < MANY


def test_other_threads_run_while_the_kernel_works(long_query, a_while):
    pages, status = long_query
    started, ticks = threading.Event(), []

    def query():
        started.set()
        mp.move_pages(pages, None, status)

    thread = threading.Thread(target=query)
    thread.start()
    started.wait()
    while thread.is_alive():
        ticks.append(time.monotonic())
        time.sleep(0.001)
    thread.join()
    assert (status == mp.PageStatus.EFAULT).all()
    assert len(ticks) > 20


def test_threads_on_the_same_pages_at_once():
    memory = np.ones(256 * PAGE, np.uint8)
    start = memory.ctypes.data
    pages = np.arange(start, start + memory.nbytes, PAGE, dtype=np.uintp)
    nodes = mp.topology().allowed_nodes
    # A page that another thread is moving is on no node for a moment; Linux 6.1 then says EFAULT.
    answers = [*nodes, int(mp.PageStatus.ENOENT), int(mp.PageStatus.EFAULT)]

    def work(seed):
        random = np.random.default_rng(seed)
        for _ in range(30):
            part = pages[random.integers(len(pages)) :]
            mp.move_pages(part, random.choice(nodes, len(part)))
            assert np.isin(mp.move_pages(part), answers).all()
        return seed

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == list(range(8))
    assert np.array_equal(mp.move_pages(pages), mp.mempolicy_nodes(pages))
    assert (memory == 1).all()


def test_a_signal_leaves_no_file_open():
    """The signal may come just after the file was opened, or at any other moment."""
    rng = np.random.default_rng(7)
    stopped = 0

    def interrupt(_signal, _frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        # Collections would close files that earlier tests have left in cycles.
        with collected():
            files = len(os.listdir("/proc/self/fd"))
            for _ in range(300):
                with contextlib.suppress(KeyboardInterrupt):
                    try:
                        signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-6, 300e-6))
                        for _ in range(20):
                            assert read_mappings(0) is not None
                    except KeyboardInterrupt:
                        stopped += 1
                    finally:
                        signal.setitimer(signal.ITIMER_REAL, 0)
            assert len(os.listdir("/proc/self/fd")) == files
    finally:
        signal.signal(signal.SIGALRM, before)
    assert stopped > 0
