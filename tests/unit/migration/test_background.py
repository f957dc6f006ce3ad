"""Moves in a thread of their own: the Future, its progress, its end, and the rate limit."""

import array
import gc
import os
import signal
import threading
import time
import weakref
from concurrent.futures import wait

import numpy as np
import pytest

import movepages as mp
from movepages.migration import slice_migration
from movepages.migration.control import Control
from support import memory
from support.clocks import clock_of
from support.forks import fork
from support.processes import PATIENCE_S

PAGE = memory.PAGE
NODE = mp.topology().allowed_nodes[0]


@pytest.fixture
def a():
    return memory.anonymous(300 * PAGE, NODE)


def test_background_move_is_a_future_of_the_result(a):
    seen = []
    job = mp.move(a, NODE, background=True, progress=lambda *told: seen.append(told))
    assert isinstance(job, mp.BackgroundMove)
    result = job.result(timeout=PATIENCE_S)
    assert (result.already_there, result.ok, job.done()) == (300, True, True)
    assert job.progress == seen[-1] == (300, 300)
    assert not job.cancel()


def test_wrong_arguments_are_refused_at_once(a):
    with pytest.raises(ValueError, match="target: expected"):
        mp.move(a, [1, 2], background=True)
    with pytest.raises(TypeError):
        mp.move(3, NODE, background=True)
    with pytest.raises(ValueError, match="limit: expected a rate"):
        mp.move(a, NODE, background=True, limit="fast")


def test_error_is_raised_by_the_future(a):
    job = mp.move(a, max(mp.topology().nodes) + 1, background=True)
    assert isinstance(job.exception(timeout=PATIENCE_S), mp.MovePagesError)
    with pytest.raises(mp.MovePagesError, match="is not a node"):
        job.result()


@pytest.fixture
def slow(monkeypatch):
    """Make a turn last until pause() ends it; pause() is called as often as by the driver."""
    begun = threading.Event()

    def turn(_pages, nodes, status, *, pause, **_):
        status[:1] = nodes[:1]
        begun.set()
        while True:
            time.sleep(0.002)
            pause()

    monkeypatch.setattr(slice_migration, "move_in_slices", turn)
    monkeypatch.setattr(slice_migration._core, "sort_out", everything)
    return begun


def everything(pages, before, wanted):
    count = len(pages)
    index = np.arange(count)
    status = np.full(count, mp.PageStatus.NOT_ATTEMPTED, np.int32)
    return status, np.zeros(count, bool), index, pages, wanted


def test_cancel_ends_a_move_that_has_begun(a, slow):
    # With a target for each page, no page is taken to be in place.
    job = mp.move(a, np.full(300, NODE), background=True)
    assert slow.wait(PATIENCE_S)
    assert not job.done()
    assert job.cancel()
    error = job.exception(timeout=PATIENCE_S)
    assert isinstance(error, mp.MovePagesCancelledError)
    assert "it was cancelled" in str(error)
    assert error.result.moved + error.result.already_there >= 1
    assert error.result.not_attempted == 299
    assert job.done()


def test_the_nodes_are_a_copy(a, monkeypatch):
    nodes = np.full(300, NODE, np.int32)
    sort_out = slice_migration._core.sort_out
    shared = []

    def look(pages, before, wanted):
        shared.append(np.shares_memory(wanted, nodes))
        return sort_out(pages, before, wanted)

    monkeypatch.setattr(slice_migration._core, "sort_out", look)
    assert mp.move(a, nodes).ok
    assert mp.move(a, nodes, background=True).result(timeout=PATIENCE_S).ok
    assert shared == [False, False]


def test_the_nodes_of_any_buffer_are_a_copy(a):
    nodes, written = array.array("i", [NODE] * 300), threading.Event()
    job = mp.move(a, nodes, background=True, progress=lambda *_: written.wait(PATIENCE_S))
    nodes[:] = array.array("i", [-1] * 300)
    written.set()
    assert job.result(timeout=PATIENCE_S).already_there == 300


def test_progress_callback_can_cancel(a, slow):
    job = mp.move(a, np.full(300, NODE), background=True, progress=lambda *_: False)
    assert isinstance(job.exception(timeout=PATIENCE_S), mp.MovePagesCancelledError)


def test_the_array_lives_until_it_is_moved(slow):
    a = memory.anonymous(300 * PAGE, NODE)
    gone = weakref.ref(a)
    job = mp.move(a, np.full(300, NODE), background=True)
    assert slow.wait(PATIENCE_S)
    del a
    assert gone() is not None
    job.cancel()
    job.exception(timeout=PATIENCE_S)
    for thread in threading.enumerate():
        if thread.name == "movepages":
            thread.join()
    del job
    gc.collect()
    assert gone() is None


def told_in_child(act):
    """Return what a forked child reports; the child is killed if it hangs."""
    reader, writer = os.pipe()
    pid = fork()
    if not pid:
        signal.alarm(PATIENCE_S)
        try:
            told = act()
        except BaseException as error:
            told = f"{type(error).__name__}: {error}"
        os.write(writer, str(told).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as source:
        told = source.read().decode()
    assert os.waitpid(pid, 0)[1] == 0, "the child did not end by itself"
    return told


def asked(job):
    cancelled, found = job.cancel(), (job.done(), job.running(), job.cancelled())
    return f"{cancelled} {found} {wait([job], 1).done == {job}} {job.exception(1)}"


def test_background_move_does_not_run_in_a_child(a, slow):
    job = mp.move(a, np.full(300, NODE), background=True)
    called = []
    job.add_done_callback(lambda _job: called.append(os.getpid()))
    assert slow.wait(PATIENCE_S)
    told = f"this move runs in process {os.getpid()}, which began it, and not in its child"
    try:
        found = told_in_child(lambda: asked(job))
        assert found.startswith(f"False (True, False, False) True {told}")
        assert told_in_child(lambda: job.result()).startswith(f"RuntimeError: {told}")
        assert told_in_child(lambda: called) == "[]"
        # In a child's child, too, the error names the process that runs the move.
        assert told in told_in_child(lambda: told_in_child(lambda: job.result()))
        # The child can begin a move of its own.
        assert (
            told_in_child(lambda: mp.move(a[:0], NODE, background=True).result(PATIENCE_S).ok)
            == "True"
        )
        assert not job.done()
    finally:
        assert job.cancel()
    assert isinstance(job.exception(timeout=PATIENCE_S), mp.MovePagesCancelledError)


def test_lock_held_by_the_thread_does_not_block_a_child(a, slow):
    job = mp.move(a, np.full(300, NODE), background=True)
    assert slow.wait(PATIENCE_S)
    with job._condition:
        told = told_in_child(lambda: job.result())
    assert told.startswith("RuntimeError: this move runs in process")
    job.cancel()
    job.exception(timeout=PATIENCE_S)


def test_move_done_before_a_fork_is_done_in_the_child(a):
    job = mp.move(a, NODE, background=True)
    job.result(timeout=PATIENCE_S)
    assert told_in_child(lambda: job.result().already_there) == "300"


def test_a_callback_that_forks(a):
    told = []

    def progress(*_):
        if not told:
            told.append(told_in_child(lambda: "a child"))

    assert mp.move(a, np.full(300, NODE), background=True, progress=progress).result(PATIENCE_S).ok
    assert told == ["a child"]


def test_lock_left_taken_by_a_signal_does_not_block(a, slow):
    job = mp.move(a, np.full(300, NODE), background=True)
    assert slow.wait(PATIENCE_S)
    # An interrupted result() or done() of a Future would leave the lock taken like this.
    job._condition.acquire()
    try:
        with pytest.raises(TimeoutError):
            job.result(0.01)
        assert (job.done(), job.running(), job.cancel()) == (False, True, True)
    finally:
        job._condition.release()
    assert isinstance(job.exception(PATIENCE_S), mp.MovePagesCancelledError)
    assert (job.done(), job.running(), job.cancelled()) == (True, False, False)
    # An interrupted exception() would leave this lock taken.
    job._running.acquire()
    with pytest.raises(mp.MovePagesCancelledError):
        job.result(PATIENCE_S)


def test_exception_of_a_signal_handler_is_not_lost_in_threading(a, monkeypatch):
    def start(_thread):
        try:
            raise TimeoutError("from a signal handler")
        except TimeoutError:
            del {}["thread"]

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        with pytest.raises(TimeoutError, match="from a signal handler"):
            mp.move(a, NODE, background=True)


@pytest.mark.parametrize("begun", [False, True])
def test_interrupted_start_leaves_no_move_running(a, slow, monkeypatch, begun):
    begin = threading.Thread.start

    def start(thread):
        if begun:
            begin(thread)
            assert slow.wait(PATIENCE_S)
        raise TimeoutError("from a signal handler")

    # A thread of an earlier move may still be on its way out, so a count would not do.
    before = set(threading.enumerate())
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        with pytest.raises(TimeoutError, match="from a signal handler"):
            mp.move(a, np.full(300, NODE), background=True)
    end = time.monotonic() + PATIENCE_S
    while set(threading.enumerate()) - before and time.monotonic() < end:
        time.sleep(0.002)
    assert set(threading.enumerate()) <= before


def test_limit_waits_in_proportion_to_the_bytes_moved(monkeypatch):
    clock = clock_of(monkeypatch, "movepages.migration.control")
    control = Control(1, mp.RetryPolicy(), None, None, limit=1e6)
    control.throttle(200_000)
    assert sum(clock.sleeps) == pytest.approx(0.2)
    control = Control(1, mp.RetryPolicy(), None, lambda *_: False, limit=1e3)
    with pytest.raises(mp.MovePagesCancelledError):
        control.throttle(10_000_000)
    Control(1, mp.RetryPolicy(), None, None).throttle(1 << 60)
