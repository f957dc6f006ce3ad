"""measure_bandwidth(): which figures there are, what is left out, and when it is measured anew."""

import os
from dataclasses import replace

import numpy as np
import pytest

import movepages as mp
from movepages.memory import bandwidth, bandwidth_places, bandwidth_run
from movepages.memory.bandwidth_places import Places, find_places
from movepages.system.caches import Caches
from movepages.system.node import ById
from movepages.system.topology_reader import read_topology
from support import policies, processes

HERE = mp.topology()
HUGE = mp._core.HUGE_PAGE_BYTES


@pytest.fixture
def unmeasured(monkeypatch):
    """Fail the test if anything is measured."""

    def refuse(*_):
        raise AssertionError("measured")

    def forbid():
        monkeypatch.setattr(bandwidth, "find_places", refuse)

    return forbid


def test_figures(little_bandwidth):
    seen, cpus, policy = [], os.sched_getaffinity(0), policies.of_thread()
    found = mp.measure_bandwidth(seconds=0, progress=lambda *at: seen.append(at))
    shape = len(found.cpu_nodes), len(found.memory_nodes)
    for name in ("read", "write", "copy", "latency"):
        figures = getattr(found, name)
        assert figures.shape == shape
        assert (figures > 0).all()
        with pytest.raises(ValueError, match="read-only"):
            figures[0, 0] = 1
    assert set(found.cpu_nodes) <= set(HERE.cpu_nodes)
    assert set(found.memory_nodes) <= set(HERE.allowed_nodes)
    assert ("remote" in found.together) == ("interleaved" in found.together) == (shape[1] > 1)
    assert all(rate > 0 for rates in found.together.values() for rate in rates)
    total = len(seen)
    assert seen == [(i + 1, total) for i in range(total)]
    assert total == 4 * shape[0] * shape[1] + 3 * len(found.together)
    assert os.sched_getaffinity(0) == cpus
    assert policies.of_thread() == policy
    node, to = found.cpu_nodes[0], found.memory_nodes[-1]
    assert found.pair(node, to) == tuple(
        getattr(found, name)[0, -1] for name in ("read", "write", "copy", "latency")
    )
    with pytest.raises(KeyError):
        found.pair(node, 4095)


def test_figures_are_kept_and_measured_anew(little_bandwidth, unmeasured):
    first = mp.measure_bandwidth(seconds=0)
    assert little_bandwidth.exists()
    again = mp.measure_bandwidth(fresh=True, seconds=0)
    assert again.measured_at >= first.measured_at
    unmeasured()
    kept = mp.measure_bandwidth()
    assert kept.as_dict() == again.as_dict()
    with pytest.raises(AssertionError, match="measured"):
        mp.measure_bandwidth(fresh=True)


@pytest.mark.parametrize("field", ["host", "kernel", "cpu", "cpus", "nodes"])
def test_figures_of_another_machine_do_not_count(little_bandwidth, field, unmeasured):
    found = mp.measure_bandwidth(seconds=0)
    other = replace(found, machine=found.machine._replace(**{field: "other"}))
    other.save(little_bandwidth)
    unmeasured()
    with pytest.raises(AssertionError, match="measured"):
        mp.measure_bandwidth()


def test_progress_can_end_it(little_bandwidth):
    with pytest.raises(mp.MovePagesCancelledError, match="after 2 of"):
        mp.measure_bandwidth(seconds=0, progress=lambda done, _all: done < 2)
    assert not little_bandwidth.exists()


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 4000])
def test_invalid_seconds(seconds):
    with pytest.raises(ValueError, match="seconds: expected 0 to 3600"):
        mp.measure_bandwidth(seconds=seconds)


def test_pages_that_are_elsewhere_are_not_measured(little_bandwidth, monkeypatch):
    monkeypatch.setattr(bandwidth_run, "targets", lambda *_: np.full(1, -1, np.int32))
    with pytest.raises(mp.MovePagesError, match="memory is not where it was allocated"):
        mp.measure_bandwidth(seconds=0)
    assert not little_bandwidth.exists()


def test_without_huge_pages(little_bandwidth, monkeypatch):
    def empty(*given, huge=None, **how):
        if huge:
            raise mp.MovePagesUnsupportedError(38, "no huge pages")
        return mp.empty(*given, **how)

    monkeypatch.setattr(bandwidth_run, "empty", empty)
    found = mp.measure_bandwidth(seconds=0)
    with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="ascii") as file:
        always = "[always]" in file.read()
    assert always or "in small pages" in found.notes[-1]


def test_memory_is_freed_when_it_ends_early(little_bandwidth, monkeypatch):
    freed = []
    monkeypatch.setattr(bandwidth_run, "free_pages", lambda f: freed.append(f.pages))
    with pytest.raises(mp.MovePagesCancelledError) as caught:
        mp.measure_bandwidth(seconds=0, progress=lambda _done, _all: False)
    assert len(freed) == 1
    assert caught.value.result is None


@pytest.mark.parametrize("huge", [2 << 20, 512 << 20])
def test_nodes_that_are_left_out(monkeypatch, huge):
    """A node with less room than a huge page is measured all the same."""
    monkeypatch.setattr(bandwidth_places, "HUGE_PAGE_BYTES", huge)
    monkeypatch.setattr(bandwidth_places, "FEWEST_IN_HUGE_PAGES", 2 * huge)
    here = read_topology()
    only = here.nodes[here.allowed_nodes[0]]
    far = max(os.sched_getaffinity(0)) + 7
    distances = ById({only.id: 10, 90: 20, 91: 20, 92: 20})
    nodes = {
        only.id: replace(only, distances=distances),
        90: replace(only, id=90, cpus=(far,), allowed=False, distances=distances),
        91: replace(only, id=91, cpus=(), distances=distances),
        92: replace(only, id=92, cpus=(), has_memory=False, allowed=False, distances=distances),
    }
    machine = replace(here, nodes=ById(nodes), offline_nodes=(93,))
    rooms = {only.id: 1 << 33, 91: 2 << 20}
    monkeypatch.setattr(bandwidth_places._core, "node_room", rooms.get)
    monkeypatch.setattr(bandwidth_places, "zone_reserves", lambda: dict.fromkeys(nodes, 0))
    monkeypatch.setattr(bandwidth_places, "last_level_caches", lambda _: Caches(1 << 30, 1 << 30))
    monkeypatch.setattr(bandwidth_places, "cgroup_room", lambda: None)
    places = find_places(machine)
    assert list(places.cpus) == [only.id]
    assert places.homes == {only.id: only.id}
    assert places.nbytes == {only.id: 4 << 30}
    assert places.notes == (
        "Left out: node 90: this process may use no CPU there.",
        "Left out: node 90: the cpuset forbids memory there.",
        "Left out: node 93: offline.",
        "Left out: node 91: only 2 MiB are free.",
    )
    monkeypatch.setattr(bandwidth_places, "cgroup_room", lambda: 64 << 20)
    places = find_places(machine)
    assert places.nbytes == {only.id: 16 << 20}
    assert "bandwidths may be too high" in places.notes[-2]
    monkeypatch.setattr(bandwidth_places, "cgroup_room", lambda: 0)
    with pytest.raises(mp.MovePagesMemoryError, match="enough free memory"):
        find_places(machine)


def places(homes, nbytes):
    cpus = {node: (2 * node, 2 * node + 1) for node in homes}
    return Places(cpus, homes, nbytes, Caches(), ())


@pytest.mark.parametrize(
    ("homes", "memory", "expected"),
    [
        ({0: 0}, [0], {}),
        ({0: 0, 1: 1}, [0, 1], {0: 1, 1: 0}),
        ({0: 0, 1: 1, 4: 4}, [0, 1, 2, 4], {0: 1, 1: 4, 4: 0}),
        ({0: 0}, [0, 2], {0: 2}),
        ({0: 2, 1: 2}, [2, 5], {0: 5, 1: 5}),
    ],
)
def test_the_remote_node_is_the_next_one(homes, memory, expected):
    assert bandwidth_run._next_nodes(places(homes, dict.fromkeys(memory, HUGE))) == expected


def test_parts_of_all_cpus_are_equal_and_apart():
    run = bandwidth_run.Run(places({0: 2, 1: 2, 4: 4}, {2: 4 * HUGE, 4: HUGE}), 0, None)
    run._memories = {2: np.zeros(4 * HUGE, np.uint8), 4: np.zeros(HUGE, np.uint8)}
    parts = run._parts({0: 2, 1: 2, 4: 4})
    assert [part.cpu for part in parts] == [0, 1, 2, 3, 8, 9]
    assert {part.memory.nbytes for part in parts} == {HUGE // 2}
    for part in parts:
        part.memory[:] += 1
    assert all(int(memory.max()) == 1 for memory in run._memories.values())


def test_a_process_with_one_cpu(little_bandwidth):
    def measure():
        cpu = max(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cpu})
        found = mp.measure_bandwidth(seconds=0, fresh=True)
        return (
            found.machine.cpus == str(cpu),
            len(found.cpu_nodes),
            os.sched_getaffinity(0) == {cpu},
        )

    assert processes.run_as(None, measure) == (True, 1, True)
