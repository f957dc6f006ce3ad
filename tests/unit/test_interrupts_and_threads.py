"""Long calls: the GIL is free, Ctrl-C is heard, threads do not disturb each other."""

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
from movepages.query import page_query
from movepages.query.syscall import survey_rows
from movepages.system.maps import read_mappings
from support import memory

PAGE = mp.topology().page_size
NOT_ATTEMPTED = mp.PageStatus.NOT_ATTEMPTED
# Addresses of nothing are the quickest to ask for; these take the kernel a second or more.
MANY = 20_000_000


@pytest.fixture(scope="module")
def long_query():
    pages = np.zeros(MANY, np.uintp)
    return pages, np.empty(MANY, np.int32)


@pytest.fixture(scope="module")
def a_while(long_query):
    """Seconds after which a long call is under way and far from its end, fast machine or slow."""
    pages, status = (whole[: MANY // 20] for whole in long_query)
    # What else the machine does makes a call longer, never shorter.
    shortest = math.inf
    for _ in range(5):
        start = time.monotonic()
        mp.move_pages(pages, None, status)
        shortest = min(shortest, time.monotonic() - start)
    # Two threads on one CPU have their first results after two of these; all take ten and more.
    return max(3.5 * shortest, 0.05)


@contextlib.contextmanager
def interrupted_with(exception, after):
    """Raise `exception` in the main thread, from a signal `after` so many seconds.

    None leaves it to the block to start the timer.
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
    """Have the kernel asked for every page, as it is before Linux 6.7: nothing is so quick.

    Return a list: the timer starts with what is put there, when the first answer has come.
    """
    delays = []

    def ask(addresses, pages, **how):
        found = survey_rows(addresses, pages, **how | {"fewest": None})
        if delays:
            signal.setitimer(signal.ITIMER_REAL, delays.pop())
        return found

    monkeypatch.setattr(page_query, "survey_rows", ask)
    return delays
