"""measure_bandwidth() on several nodes: which CPUs use which memory, by the witness."""

import os

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from support import memory, nodes, own_threads, policies, witness

KINDS = ("write", "read", "copy")


def node_of_cpu():
    return {
        cpu: node
        for node in nodes.listed("online")
        for cpu in nodes.parse_list((nodes.SYSFS / f"node{node}" / "cpulist").read_text())
    }


def on(array):
    return witness.nodes_at_once(memory.pages_of(array)).tolist()


@pytest.fixture
def seen(monkeypatch):
    """Note each measurement: its kind, and the node of the CPU and those of all pages."""
    found, homes = [], node_of_cpu()
    real_traffic, real_chase = _core.traffic, _core.chase

    def traffic(kind, parts, seconds, pause):
        came = real_traffic(kind, parts, seconds, pause)
        used = [
            (homes[cpu], *(on(array) if array is not None else () for array in arrays))
            for *arrays, cpu in parts
        ]
        found.append((kind, used))
        return came

    def chase(array, line, cpus, *rest):
        came = real_chase(array, line, cpus, *rest)
        found.append(("chase", [(homes[cpu], on(array), ()) for cpu in cpus.tolist()]))
        return came

    monkeypatch.setattr(_core, "traffic", traffic)
    monkeypatch.setattr(_core, "chase", chase)
    return found


@pytest.fixture
def found(two_nodes, little_bandwidth, seen):
    cpus, policy = os.sched_getaffinity(0), policies.of_thread()
    before = own_threads.ids()
    found = mp.measure_bandwidth(seconds=0)
    assert os.sched_getaffinity(0) == cpus
    assert policies.of_thread() == policy
    assert own_threads.ended_since(before)
    return found


def test_shape_and_figures(found):
    rows = tuple(sorted({node_of_cpu()[cpu] for cpu in os.sched_getaffinity(0)}))
    assert found.cpu_nodes == rows
    assert found.memory_nodes == nodes.allowed()
    for name in ("read", "write", "copy", "latency"):
        figures = getattr(found, name)
        assert figures.shape == (len(rows), len(nodes.allowed()))
        assert (figures > 0).all()
        assert np.isfinite(figures).all()
    assert list(found.together) == ["local", "remote", "interleaved"]
    assert all(rate > 0 for rates in found.together.values() for rate in rates)
    assert set(found.nbytes) == set(nodes.allowed())
    assert "nothing to compare" not in str(found)


def test_each_pair_uses_its_cpus_and_its_memory(found, seen):
    rest = iter(seen)
    cpus = os.sched_getaffinity(0)
    for column in found.memory_nodes:
        kind, used = next(rest)
        assert kind == "chase"
        assert [node for node, *_ in used] == list(found.cpu_nodes)
        assert all(set(pages) == {column} for _, pages, _ in used)
        for row in found.cpu_nodes:
            here = [cpu for cpu, node in node_of_cpu().items() if node == row and cpu in cpus]
            for expected in KINDS:
                kind, used = next(rest)
                assert kind == expected
                assert [node for node, *_ in used] == [row] * len(here)
                assert all({*pages, *source} == {column} for _, pages, source in used)


def test_all_at_once(found, seen):
    last = seen[-9:]
    assert [kind for kind, _ in last] == [*KINDS] * 3
    cpus = len(os.sched_getaffinity(0))
    assert all(len(used) == cpus for _, used in last)
    local, remote, interleaved = last[:3], last[3:6], last[6:]
    machine = mp.topology()
    for _, used in local:
        for node, pages, source in used:
            assert {*pages, *source} == {machine.nearest_memory(node)}
    for _, used in remote:
        for node, pages, source in used:
            assert len({*pages, *source} | {machine.nearest_memory(node)}) == 2
    for kind, used in interleaved:
        everywhere = [page for _, pages, source in used for page in (*pages, *source)]
        assert set(everywhere) == set(found.memory_nodes), kind
        counts = np.bincount(everywhere)[list(found.memory_nodes)]
        assert counts.max() - counts.min() <= 2 * _core.HUGE_PAGE_BYTES // memory.PAGE


def test_memory_is_free_again(found):
    for node in nodes.allowed():
        a = mp.empty(4 << 20, np.uint8, layout=mp.blocks([node]))
        assert set(on(a)) == {node}


def test_a_thread_that_may_use_one_cpu(two_nodes, little_bandwidth):
    cpus = os.sched_getaffinity(0)
    one = max(cpus)
    os.sched_setaffinity(0, {one})
    try:
        found = mp.measure_bandwidth(seconds=0, fresh=True)
        assert os.sched_getaffinity(0) == {one}
    finally:
        os.sched_setaffinity(0, cpus)
    assert found.cpu_nodes == (node_of_cpu()[one],)
    assert found.machine.cpus == str(one)
    others = set(node_of_cpu().values()) - {*found.cpu_nodes}
    assert all("this process may use no CPU there" in note for note in found.notes[:1] if others)
    assert mp.measure_bandwidth(seconds=0).cpu_nodes != found.cpu_nodes or not others
