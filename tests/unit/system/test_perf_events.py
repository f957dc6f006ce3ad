"""Counters of perf_event_open(2): what they count, why there are none, and what they leave open."""

import ctypes
import errno
import gc
import os
import resource
import struct
import threading

import pytest

from interruptions import collected, trial
from movepages.system import perf_events
from movepages.system.perf_events import Event, EventCounters
from support import memory, processes

# Events of the kernel itself, which need no hardware: PERF_TYPE_SOFTWARE.
PAGE_FAULTS, TASK_CLOCK = Event(1, 2), Event(1, 1)
PAGES = 500


def touch():
    memory.touch(memory.anonymous(PAGES * memory.PAGE, huge=False))


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_closed_late():
    """Close the files that earlier tests have left in cycles."""
    gc.collect()


def opened():
    return sorted(os.listdir("/proc/self/fd"))


@pytest.fixture
def counting():
    """Skip where even events of the kernel are refused."""
    with EventCounters([os.getpid()], [PAGE_FAULTS]) as counters:
        pass
    if counters.why_none:
        pytest.skip(f"needs perf_event_open(2): {counters.why_none}")


@pytest.fixture
def refused(monkeypatch):
    """Return a function that has the system call fail with an errno."""

    def with_code(code):
        def fail(*_arguments):
            ctypes.set_errno(code)
            return -1

        monkeypatch.setattr(perf_events._libc, "syscall", fail)

    yield with_code
    ctypes.set_errno(0)


def test_the_structure_is_as_long_as_the_kernel_wants():
    # PERF_ATTR_SIZE_VER0
    assert ctypes.sizeof(perf_events._Attributes) == 64
    flags = perf_events._Attributes(inherit=1, exclude_kernel=1, exclude_hv=1)
    assert bytes(flags)[40:48] == (0b110_0010).to_bytes(8, "little")


def test_counts_or_a_reason():
    before = opened()
    with EventCounters([os.getpid()]) as counters:
        touch()
    assert (counters.counts is None) == bool(counters.why_none)
    if counters.counts:
        loads, misses = counters.counts
        assert misses >= 0
        assert loads >= 0
    assert opened() == before


def test_this_thread_and_one_that_it_starts_are_counted(counting):
    with EventCounters([threading.get_native_id()], [PAGE_FAULTS, TASK_CLOCK]) as counters:
        touch()
        thread = threading.Thread(target=touch)
        thread.start()
        thread.join()
    faults, nanoseconds = counters.counts
    assert faults >= 2 * PAGES
    assert nanoseconds > 0


def test_a_thread_that_was_there_before_is_counted(counting):
    work, done, end = threading.Event(), threading.Event(), threading.Event()

    def wait():
        work.wait()
        touch()
        done.set()
        end.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        with EventCounters([thread.native_id], [PAGE_FAULTS]) as counters:
            work.set()
            done.wait()
    finally:
        end.set()
        thread.join()
    assert counters.counts[0] >= PAGES


def test_a_thread_that_has_ended_is_left_out(counting):
    gone = processes.dead_pid()
    with EventCounters([gone], [PAGE_FAULTS]) as counters:
        touch()
    assert counters.counts == (0,)
    with EventCounters([gone, threading.get_native_id()], [PAGE_FAULTS]) as counters:
        touch()
    assert counters.counts[0] >= PAGES


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EACCES, "perf_event_paranoid"),
        (errno.EPERM, "CAP_PERFMON"),
        (errno.ENOENT, "processor or virtual machine"),
        (errno.EOPNOTSUPP, "processor or virtual machine"),
        (errno.ENOSYS, "no perf_event_open"),
        (errno.EMFILE, os.strerror(errno.EMFILE)),
    ],
)
def test_each_refusal_has_its_sentence(refused, code, words):
    refused(code)
    with EventCounters([1, 2]) as counters:
        pass
    assert counters.counts is None
    assert words in counters.why_none


def test_one_refusal_closes_what_was_opened(counting):
    before = opened()
    with EventCounters([os.getpid()], [PAGE_FAULTS, Event(1, 1 << 40)]) as counters:
        assert opened() == before
    assert counters.counts is None
    assert counters.why_none


def test_an_unknown_processor(monkeypatch):
    monkeypatch.setattr(perf_events.platform, "machine", lambda: "abacus")
    with EventCounters([1]) as counters:
        pass
    assert "no perf_event_open" in counters.why_none


def test_descriptors_are_left_for_the_block():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        pytest.skip("needs a limit of file descriptors, this process has none")
    with EventCounters(range(1, limit)) as counters:
        pass
    assert "file descriptors" in counters.why_none


def test_an_exception_leaves_nothing_open(counting):
    def interrupted():
        with found:
            assert len(opened()) == len(before) + 9
            raise KeyboardInterrupt

    before, found = opened(), EventCounters([os.getpid()], [PAGE_FAULTS] * 9)
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert opened() == before
    assert found.counts is None


def test_signals_leave_nothing_open(counting):
    def count():
        with EventCounters([os.getpid()] * 4, [PAGE_FAULTS, TASK_CLOCK]):
            pass

    def check(_raised):
        gc.collect()
        assert opened() == before

    with collected():
        before = opened()
        assert trial(count, 0.5, check)


def reading(tmp_path, *counts):
    """Return the total of counters that read like these."""
    descriptors = []
    for number, each in enumerate(counts):
        (tmp_path / f"{number}").write_bytes(struct.pack("=3Q", *each))
        descriptors.append(os.open(tmp_path / f"{number}", os.O_RDONLY))
    try:
        return perf_events._total([-1, *descriptors])
    finally:
        for each in descriptors:
            os.close(each)


def test_counts_are_scaled_by_the_time_that_they_were_counted(tmp_path):
    assert reading(tmp_path, (10, 100, 100), (10, 100, 25)) == 50
    # A thread that did not run has no share in the count, nor in the time.
    assert reading(tmp_path, (0, 0, 0), (7, 5, 5)) == 7
    assert reading(tmp_path, (0, 0, 0)) == reading(tmp_path) == 0


def test_counters_that_others_kept_all_the_time(tmp_path):
    assert reading(tmp_path, (0, 100, 0), (0, 50, 0)) is None
    assert reading(tmp_path, (0, 100, 0), (3, 50, 50)) == 3
