"""watch(): samples of a process, and what ends them."""

import gc
import json
import os
import subprocess
import sys
import time

import pytest

import movepages as mp
from support import memory, processes

pytestmark = pytest.mark.host

MIB = 1 << 20


@pytest.fixture
def other():
    with processes.child(lambda: None) as child:
        yield child


def test_samples_of_this_process_follow_its_memory():
    size, most = 64 * MIB, 100
    # Memory that earlier tests have left in cycles would be freed meanwhile.
    gc.collect()
    with mp.watch(interval=0.05, count=most) as samples:
        before = next(samples)
        # The heap may have had room for it, a new mapping has not.
        added = memory.anonymous(size, mp.topology().allowed_nodes[0])
        # Other tests' memory may be freed meanwhile. A mapping that changes each time it is read,
        # as one of Python's own may, counts as empty in a sample.
        least = before.nbytes + size - 8 * MIB
        after = next((each for each in samples if each.nbytes > least), None)
    assert after, f"none of {most} samples shows the memory"
    assert before.pid == after.pid == os.getpid()
    assert set(before.bytes_per_second.values()) == {0.0}
    assert added.nbytes == size
    assert sum(after.bytes_per_second.values()) > 0
    assert after.seconds - before.seconds >= 0.05
    assert sum(after.bytes_per_node.values()) == after.nbytes


def test_samples_agree_with_regions(other):
    watched, until = mp.process(other.pid), time.monotonic() + processes.PATIENCE_S
    samples, regions = [], [watched.regions()]
    # The child may still be on its way to where it waits, and enter more pages meanwhile.
    while not samples or held(regions[-1]) != held(regions[-2]):
        assert time.monotonic() < until
        samples = list(mp.watch(other.pid, count=1))
        regions.append(watched.regions())
    (sample,) = samples
    assert tuple(sample.bytes_per_node) == watched.nodes
    assert sample.nbytes == held(regions[-1])
    assert json.loads(json.dumps(sample.as_dict()))["nbytes"] == sample.nbytes


def held(regions):
    return regions["bytes"].sum()


def test_the_end_of_the_process_ends_the_samples():
    with subprocess.Popen(["sleep", "1000"]) as process, mp.watch(process.pid, 0.05) as samples:
        assert next(samples).name == "sleep"
        assert not samples.ended
        process.kill()
        # It ends as soon as it gets a CPU.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert list(samples) == []
        assert samples.ended
    assert list(samples) == []


def test_the_end_comes_within_a_long_interval():
    with subprocess.Popen(["sleep", "1000"]) as process:
        samples = mp.watch(process.pid, 100_000)
        next(samples)
        process.kill()
        assert (list(samples), samples.ended) == ([], True)


def test_close_ends_the_samples_and_frees_the_descriptor(other):
    # Files that earlier tests have left in cycles would be closed meanwhile.
    gc.collect()
    before = set(os.listdir("/proc/self/fd"))
    samples = mp.watch(other.pid, 0.05)
    next(samples)
    samples.close()
    samples.close()
    assert list(samples) == []
    assert not samples.ended
    for _ in mp.watch(other.pid, 0.05):
        break
    assert set(os.listdir("/proc/self/fd")) == before


def test_count_ends_the_samples(other):
    samples = mp.watch(other.pid, 0.05, count=2)
    assert len(list(samples)) == 2
    assert not samples.ended


def test_no_such_process():
    with subprocess.Popen(["true"]) as process:
        process.wait()
    with pytest.raises(ProcessLookupError, match="no process"):
        next(mp.watch(process.pid))
    for beyond in 1 << 32, 1 << 80:
        with pytest.raises(ProcessLookupError, match=f"no process {beyond}"):
            next(mp.watch(beyond))


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"pid": "4711"}, TypeError, "pid: expected the number of a process, got '4711'"),
        ({"pid": -1}, ValueError, "pid: expected the number of a process, got -1"),
        ({"interval": "often"}, TypeError, "interval: expected seconds, got 'often'"),
        ({"interval": 10**400}, TypeError, "interval: expected seconds, got 1000"),
        ({"interval": 0}, ValueError, r"interval: expected seconds from 0\.05 to 1,000,000, got 0"),
        ({"interval": float("nan")}, ValueError, "interval: expected seconds from .*, got nan"),
        ({"count": 0}, ValueError, "count: expected a whole number from 1, got 0"),
        ({"count": 1.5}, TypeError, r"count: expected a whole number from 1, got 1\.5"),
    ],
)
def test_invalid_arguments(arguments, error, told):
    with pytest.raises(error, match=told):
        mp.watch(**arguments)


def test_a_table_without_pandas_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    samples = mp.watch(interval=0.05)
    with pytest.raises(ImportError, match="not installed: pip install pandas"):
        samples.to_pandas()
    assert next(samples).nbytes > 0
