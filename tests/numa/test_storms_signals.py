"""Signals at random moments of moves and queries: what was done by then is reported truly."""

import contextlib
import os
import signal
import threading
import time

import numpy as np
import pytest

import movepages as mp
from interruptions import collected
from support import memory, nodes
from support.kinds_frames import nodes_of as nodes_by_frame
from support.memory import PAGE
from support.storm import PATIENCE_S, targets

NOT_ATTEMPTED = mp.PageStatus.NOT_ATTEMPTED
UNTOUCHED = 77
PAGES = 8192


@pytest.fixture
def here_and_there(two_nodes, need_root):
    here, there, *_ = nodes.allowed()
    return here, there


@pytest.fixture(params=[signal.SIGALRM, signal.SIGINT], ids=["SIGALRM", "SIGINT"])
def interrupt_after(request):
    """Yield a context manager: a signal raises KeyboardInterrupt in its block after some time."""
    live = False

    def interrupt(_signal, _frame):
        if live:
            raise KeyboardInterrupt

    def send(seconds):
        time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGINT)

    @contextlib.contextmanager
    def block(seconds):
        nonlocal live
        live = True
        thread = threading.Thread(target=send, args=(seconds,))
        if request.param == signal.SIGINT:
            thread.start()
        else:
            signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            live = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            if request.param == signal.SIGINT:
                thread.join()

    with collected():
        before = signal.signal(request.param, interrupt)
        yield block
        signal.signal(request.param, before)


@pytest.fixture
def big(here_and_there):
    a = memory.anonymous(PAGES * PAGE, node=here_and_there[0])
    # The first calls import modules, which takes longer: signals would meet nothing else.
    for node in here_and_there[::-1]:
        mp.move(a[:PAGE], node)
        mp.move_pages(memory.pages_of(a[:PAGE]), node)
    return a


def test_signals_while_pages_move(here_and_there, big, interrupt_after, storm):
    runs, seed = storm
    random = np.random.default_rng(seed)
    pages = memory.pages_of(big)
    usual, cut_short = 0.1, 0
    for run in range(runs):
        here, there = here_and_there if run % 4 < 2 else here_and_there[::-1]
        target, each = targets(random, here, there, len(pages))
        origin = nodes_by_frame(pages)
        status, result = np.full(len(pages), UNTOUCHED, np.int32), None
        start, ended = time.perf_counter(), True
        try:
            with interrupt_after(random.random() * 1.2 * usual):
                if run % 2:
                    result = mp.move(big, target, threads=1 + run // 2 % 3)
                else:
                    mp.move_pages(pages, target, status)
                ended = False
        except KeyboardInterrupt as interruption:
            result = getattr(interruption, "result", None)
        took = time.perf_counter() - start
        assert took < PATIENCE_S
        found = nodes_by_frame(pages)
        label = f"seed {seed}, run {run}, {took:.3f} s, {result}"
        if run % 2 and result is None:
            # The signal came before the first query, or after the last.
            assert np.array_equal(found, origin) or np.array_equal(found, each), label
            continue
        if run % 2:
            status = result.status
            assert result.pages == len(pages), label
            assert result.moved + result.already_there == np.count_nonzero(status >= 0), label
            assert result.moved == np.count_nonzero((status >= 0) & (origin != each)), label
        usual = usual if ended else took
        cut_short += ended and bool((status == NOT_ATTEMPTED).any())
        check_interrupted(status, each, found, origin, label)
        assert ended or (status >= 0).all(), label
        assert (big[::PAGE] == np.arange(len(pages)) % 251).all(), label
    assert cut_short, f"none of {runs} moves was cut short: the storm tested nothing"


def check_interrupted(status, target, found, origin, label):
    if (status == UNTOUCHED).all():
        # The signal was handled before any call to the kernel.
        assert np.array_equal(found, origin), label
        return
    placed, waiting = status >= 0, status == NOT_ATTEMPTED
    assert (placed | waiting).all(), f"{label}: {np.unique(status)}"
    assert np.array_equal(status[placed], target[placed]), label
    assert np.array_equal(found[placed], target[placed]), label
    assert np.array_equal(found[waiting], origin[waiting]), label


def test_signals_while_pages_are_queried(here_and_there, big, interrupt_after, storm):
    runs, seed = storm
    random = np.random.default_rng(seed)
    pages = np.tile(memory.pages_of(big), 24)
    truth = np.tile(nodes_by_frame(memory.pages_of(big)), 24)
    usual, cut_short = 0.1, 0
    for run in range(runs):
        status = np.full(len(pages), UNTOUCHED, np.int32)
        start = time.perf_counter()
        try:
            with interrupt_after(random.random() * 1.2 * usual):
                mp.move_pages(pages, None, status)
            usual = time.perf_counter() - start
        except KeyboardInterrupt:
            cut_short += bool((status == NOT_ATTEMPTED).any())
        assert time.perf_counter() - start < PATIENCE_S
        asked = (status != UNTOUCHED) & (status != NOT_ATTEMPTED)
        assert np.array_equal(status[asked], truth[asked]), f"seed {seed}, run {run}"
    assert cut_short, f"none of {runs} queries was cut short: the storm tested nothing"
