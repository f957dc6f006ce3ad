"""observe(): CPU time of each thread by CPU, against clocks of the threads themselves."""

import gc
import itertools
import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import movepages as mp
from interruptions import collected, trial
from movepages.processes import observing
from movepages.processes.observing import observe
from movepages.processes.thread_sampler import ThreadSampler
from support import memory, own_threads

CPUS = sorted(os.sched_getaffinity(0))
HOME = {cpu: node for node, each in mp.topology().nodes.items() for cpu in each.cpus}
# Sums of floats in another order.
NEARLY = 1e-6
A_TICK_S = 0.01
PATIENCE_S = 180
# A pause of the machine, as in a guest whose host does other work, counts as CPU time of the thread
# that was running. Where little time is compared, one that comes at the wrong moment is too much.
TRIES = 3


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_closed_late():
    """Close the files that earlier tests have left in cycles."""
    gc.collect()


def compute(seconds=0.05):
    """Compute without Python's lock for this CPU time; return how long that was."""
    a = np.ones(1 << 16)
    begin = time.thread_time()
    while time.thread_time() - begin < seconds:
        np.sqrt(a, out=a)
    return time.thread_time() - begin


@contextmanager
def workers(*cpus):
    """Yield a function that has a thread on each CPU compute, and that returns their CPU times.

    The threads end after the block.
    """
    end, threads, took = threading.Event(), [], {}

    def work(cpu, done):
        os.sched_setaffinity(0, {cpu})
        took[threading.get_native_id()] = cpu, compute()
        done.set()
        end.wait()

    def work_on_each():
        ready = [threading.Event() for _ in cpus]
        for cpu, done in zip(cpus, ready, strict=True):
            threads.append(threading.Thread(target=work, args=(cpu, done)))
            threads[-1].start()
        for done in ready:
            done.wait()
        return took

    try:
        yield work_on_each
    finally:
        end.set()
        for thread in threads:
            thread.join()


def by_tid(seen):
    return {each.tid: each for each in seen.threads}


def wait_for(condition):
    """Wait for what the kernel or another thread does soon."""
    until = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < until:
        time.sleep(0.001)
    assert condition()


def test_the_time_of_pinned_workers_is_on_their_cpus():
    cpus = list(itertools.islice(itertools.cycle(CPUS), 3))
    with workers(*cpus) as work:
        seen = observe(work)
        threads = by_tid(seen)
        for tid, (cpu, took) in seen.result.items():
            each = threads[tid]
            assert (each.cpus, each.cpu) == ((cpu,), cpu)
            assert each.cpu_seconds_per_cpu[cpu] >= took - NEARLY
            assert each.cpu_seconds_per_node[HOME[cpu]] >= took - NEARLY
            assert each.cpu_seconds == sum(each.cpu_seconds_per_cpu.values())
    assert sum(seen.cpu_seconds_per_cpu.values()) == pytest.approx(seen.cpu_seconds)
    assert sum(seen.cpu_seconds_per_node.values()) == pytest.approx(seen.cpu_seconds)


def test_threads_that_were_there_before_count_from_the_start_of_the_run():
    with workers(CPUS[0]) as work:
        ((tid, (_, took)),) = work().items()
        seen = observe(compute)
        assert took > 0
        assert by_tid(seen)[tid].cpu_seconds < took


@pytest.mark.parametrize("function", [compute, lambda: sum(range(1_000_000))])
def test_the_time_of_the_calling_thread_is_complete(function):
    def timed():
        begin = time.thread_time()
        function()
        return time.thread_time() - begin

    begin = time.thread_time()
    seen = observe(timed)
    around = time.thread_time() - begin
    mine = by_tid(seen)[threading.get_native_id()]
    assert seen.result - NEARLY <= mine.cpu_seconds <= around + NEARLY
    assert mine.name == Path("/proc/thread-self/comm").read_text().rstrip("\n")
    assert mine.cpus == tuple(sorted(os.sched_getaffinity(0)))
    assert seen.seconds > 0


def test_samples_are_taken_meanwhile():
    def wait():
        (sampler,) = (each for each in threading.enumerate() if each not in before)
        wait_for(lambda: len(looks) > 3)
        return sampler.native_id

    looks, before, look = [], threading.enumerate(), ThreadSampler.look
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ThreadSampler, "look", lambda self: (look(self), looks.append(0)))
        seen = observe(wait)
    # One look more comes before the run, and one after.
    assert seen.samples == len(looks) - 2
    assert seen.result not in by_tid(seen)


def test_the_time_of_the_sampler_is_left_out(monkeypatch):
    def look_slowly(sampler):
        look(sampler)
        if threading.current_thread() is sampler.thread:
            took.append(compute(0.1))

    took, look = [], ThreadSampler.look
    monkeypatch.setattr(ThreadSampler, "look", look_slowly)
    for _ in range(TRIES):
        del took[:]
        seen = observe(lambda: wait_for(lambda: took))
        if seen.unseen_seconds < sum(took) / 2:
            return
    pytest.fail(f"{seen.unseen_seconds} s unseen, of which the sampler took {sum(took)} s")


def test_a_thread_that_ends_meanwhile_counts_up_to_a_sample():
    # Much of the time of such short threads is after the last sample that saw them.
    count, each_s = 60, 0.005

    def start_and_end():
        threads = [threading.Thread(target=compute, args=(each_s,)) for _ in range(count)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    # The time that the sampler took to start is left out as well.
    least, told = each_s * count - 3 * A_TICK_S, []
    for _ in range(TRIES):
        begin = time.process_time()
        seen = observe(start_and_end)
        around = time.process_time() - begin
        told.append((seen.cpu_seconds + seen.unseen_seconds, around))
        if least <= told[-1][0] <= around + A_TICK_S:
            return
    pytest.fail(f"expected at least {least}, and the second figure at most: {told}")


def test_faults_and_allocations():
    pages = 1000

    def touch():
        memory.touch(memory.anonymous(pages * memory.PAGE, huge=False))

    seen = observe(touch)
    assert seen.minor_faults >= pages
    assert seen.major_faults >= 0
    assert set(seen.numa) <= {*mp.topology().nodes}
    assert (seen.node_loads is None) == (seen.node_load_misses is None) == bool(seen.no_counters)


def test_arguments_and_the_result():
    result = observe(divmod, (17, 5)).result
    assert result == (3, 2)
    kept = np.ones(3)
    seen = observe(lambda: kept)
    assert seen.result is kept
    assert "array" not in repr(seen)
    assert "result" not in seen.as_dict()


@pytest.mark.parametrize("kind", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_exceptions_come_through_and_leave_nothing(kind):
    raised = kind("from the function")

    def fail():
        raise raised

    before, open_before = own_threads.ids(), os.listdir("/proc/self/fd")
    with pytest.raises(kind) as caught:
        observe(fail)
    assert caught.value is raised
    assert raised.__context__ is raised.__cause__ is None
    assert own_threads.ended_since(before)
    assert os.listdir("/proc/self/fd") == open_before


def test_no_thread_and_no_descriptor_is_left():
    before, open_before = own_threads.ids(), os.listdir("/proc/self/fd")
    for _ in range(20):
        observe(sum, [[1]])
    assert own_threads.ended_since(before)
    assert os.listdir("/proc/self/fd") == open_before


def test_signals_leave_nothing():
    def check(_raised):
        gc.collect()
        assert own_threads.ended_since(before)
        assert os.listdir("/proc/self/fd") == open_before

    with collected():
        before, open_before = own_threads.ids(), os.listdir("/proc/self/fd")
        assert trial(lambda: observe(time.sleep, [0.001]), 1, check)


def test_what_a_handler_raises_while_the_sampler_starts_comes_through(monkeypatch):
    def start_and_raise(bootstrap, *arguments, **options):
        start(bootstrap, *arguments, **options)
        # Threads of earlier tests stay in this table if a signal ended their start.
        wait_for(lambda: bootstrap.__self__ not in threading._limbo)
        raise TimeoutError("from the handler")

    new = hasattr(threading, "_start_joinable_thread")
    name = "_start_joinable_thread" if new else "_start_new_thread"
    start, before = getattr(threading, name), own_threads.ids()
    monkeypatch.setattr(threading, name, start_and_raise)
    with pytest.raises(TimeoutError, match="from the handler"):
        observe(len, [""])
    assert own_threads.ended_since(before)


def test_no_lock_is_taken_that_a_handler_could_leave_taken(monkeypatch):
    """As a handler does that raises when a lock was taken, and its owner cannot know yet."""
    enter, before = threading.Condition.__enter__, own_threads.ids()

    def enter_and_raise(condition):
        enter(condition)
        raise TimeoutError("from the handler")

    monkeypatch.setattr(threading.Condition, "__enter__", enter_and_raise)
    assert observe(len, ["four"]).result == 4
    monkeypatch.undo()
    assert own_threads.ended_since(before)


def test_without_proc_the_function_still_runs(monkeypatch, tmp_path):
    monkeypatch.setattr(observing, "ThreadSampler", lambda: ThreadSampler(tmp_path))
    for _ in range(TRIES):
        seen = observe(compute, [0.5])
        assert (seen.threads, seen.cpu_seconds) == ((), 0.0)
        assert "that no sample saw" in str(seen)
        # The clock of the process lags behind those of its threads by up to a tick of the
        # scheduler, and the time that the sampler took to start is left out.
        if seen.unseen_seconds >= 0.8 * seen.result:
            return
    pytest.fail(f"{seen.unseen_seconds} s unseen of {seen.result} s")
