"""The sampler of threads, on copies of /proc and with clocks that are refused."""

import os
import time

import pytest

from movepages.processes import thread_sampler
from movepages.processes.thread_sampler import ThreadSampler
from sysfs_fixtures import write

# Greater than any thread's number.
NO_THREAD = 1 << 23


def fake_stat(proc, tid, cpu, ticks, name="worker", start=5):
    fields = [0] * 50
    fields[11], fields[12], fields[19], fields[36] = ticks, ticks, start, cpu
    text = f"{tid} ({name}) R " + " ".join(map(str, fields[1:]))
    write(proc / "task" / str(tid) / "stat", text + "\n")


@pytest.fixture
def second():
    """Return the ticks of half a second, for `fake_stat` adds two times."""
    return os.sysconf("SC_CLK_TCK") // 2


def test_without_a_clock_the_time_comes_from_stat(tmp_path, second):
    sampler, name = ThreadSampler(tmp_path), "a) R (b\x1b"
    fake_stat(tmp_path, NO_THREAD, 0, second, name)
    sampler.begin()
    fake_stat(tmp_path, NO_THREAD, 3, 3 * second, name)
    sampler.look()
    fake_stat(tmp_path, NO_THREAD, 1, 4 * second, name)
    # Threads that are new count from their start, also those with a number that is used again.
    fake_stat(tmp_path, NO_THREAD + 1, 2, second)
    sampler.look()
    fake_stat(tmp_path, NO_THREAD + 1, 5, second, start=6)
    sampler.look()
    found = [(each.tid, each.cpu, dict(each.seconds)) for each in sampler.threads]
    assert found == [
        (NO_THREAD, 1, {3: 2, 1: 1}),
        (NO_THREAD + 1, 2, {2: 1}),
        (NO_THREAD + 1, 5, {5: 1}),
    ]
    assert sampler.threads[0].name == name
    assert sampler.threads[0].cpus == ()


def test_threads_end_between_looks(tmp_path, second):
    sampler = ThreadSampler(tmp_path)
    fake_stat(tmp_path, NO_THREAD, 0, 0)
    fake_stat(tmp_path, NO_THREAD + 1, 0, 0)
    sampler.begin()
    (tmp_path / "task" / str(NO_THREAD) / "stat").unlink()
    write(tmp_path / "task" / str(NO_THREAD + 1) / "stat", "")
    sampler.look()
    assert [sum(each.seconds.values()) for each in sampler.threads] == [0, 0]


def test_many_threads_are_sampled_less_often(monkeypatch):
    waits = []

    def look():
        begin = time.thread_time()
        while time.thread_time() - begin < 0.01:
            pass

    class Lock:
        def acquire(self, timeout):
            waits.append(timeout)
            return len(waits) == 3

    sampler = ThreadSampler()
    sampler.running, sampler._begun = Lock(), True
    monkeypatch.setattr(sampler, "look", look)
    sampler._keep_looking()
    assert waits[0] == thread_sampler._LEAST_S
    assert min(waits[1:]) >= 0.01 / thread_sampler._SHARE
    assert sampler.samples == 2
