"""Observation as text and as plain data."""

import json

import movepages as mp
from movepages.processes import observation
from movepages.processes.observation import ObservedThread
from movepages.processes.observing import observe
from movepages.system.numa_counters import BalancingCounters, NodeCounters


def a_thread(tid, seconds, node=0, name="worker"):
    return ObservedThread(
        tid=tid, name=name, cpus=(0, 1, 4), cpu=4,
        cpu_seconds_per_cpu={4: seconds}, cpu_seconds_per_node={node: seconds},
    )  # fmt: skip


def test_the_text():
    seen = mp.Observation(
        seconds=2,
        threads=(a_thread(7, 1.5), a_thread(8, 0.5, 1, "x\x1b[2J"), a_thread(9, 0.001)),
        samples=1234,
        minor_faults=5000,
        numa={0: NodeCounters(4000, 30, 0, 0, 0)},
        balancing=BalancingCounters(10, 4, 3, 1),
        node_loads=1000,
        node_load_misses=250,
    )
    lines = str(seen).splitlines()
    assert lines[:3] == [
        "2 s, 2 s of CPU time (node 0: 1.5 s, node 1: 0.5 s), samples: 1,234",
        "thread 7 (worker): 1.5 s on node 0; may run on CPUs 0-1,4, last on CPU 4",
        "thread 8 (x\\x1b[2J): 0.5 s on node 1; may run on CPUs 0-1,4, last on CPU 4",
    ]
    assert "other threads, with less CPU time: 1" in lines
    assert "1,000 loads from memory, 250 (25.0%) from another node" in lines
    text = str(seen)
    assert "4,000 pages allocated as wanted" in text
    assert "10 hint faults, 4 of" in text
    assert max(map(len, lines)) < 80
    assert repr(seen) == f"<Observation of 2 s, {lines[0][5:-16]}>"


def test_the_text_without_anything():
    assert str(mp.Observation(seconds=0)).splitlines() == [
        "0 s, 0 s of CPU time (no node known), samples: 0",
        "page faults: 0 minor, 0 major",
        "no count of loads: not tried",
    ]
    many = mp.Observation(seconds=1, threads=tuple(a_thread(n, 1) for n in range(20)))
    assert f"less CPU time: {20 - observation._SHOWN}" in str(many)


def test_plain_data():
    seen = observe(sorted, [range(100_000)])
    data = json.loads(json.dumps(seen.as_dict(), allow_nan=False))
    assert data["cpu_seconds"] == seen.cpu_seconds
    assert {int(cpu) for cpu in data["cpu_seconds_per_cpu"]} == {*seen.cpu_seconds_per_cpu}
    assert [each["tid"] for each in data["threads"]] == [each.tid for each in seen.threads]
    assert data["numa"].keys() == {str(node) for node in seen.numa}
