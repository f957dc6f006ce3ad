"""topology() of odd machines built in a temporary directory, and the nodes their cpusets allow."""

from __future__ import annotations

import os

import numpy as np
import pytest

import sysfs_fixtures as fake
from movepages.system.node import HugePagePool, Node
from movepages.system.topology_reader import topology
from sysfs_fixtures import GIB, KIB, MIB


def test_sparse_ids(tmp_path):
    machine = topology(fake.power(tmp_path))
    assert list(machine.nodes) == [0, 1, 16, 17]
    assert machine.memory_nodes == (0, 16, 17)
    assert machine.cpu_nodes == (0, 1, 16)
    assert machine.allowed_nodes == (0, 16, 17)
    assert machine.offline_nodes == (2, 8)
    assert machine.huge_page_sizes == (2 * MIB, 16 * MIB, GIB)
    assert machine.numa
    assert machine.node(0) == Node(
        id=0,
        cpus=(*range(16), *range(32, 48)),
        memory_total=GIB,
        memory_free=512 * MIB,
        has_memory=True,
        allowed=True,
        distances={0: 10, 1: 20, 16: 40, 17: 41},
        huge_pages={2 * MIB: HugePagePool(total=512, free=12, surplus=2)},
    )


def test_distances_follow_the_online_ids(tmp_path):
    machine = topology(fake.power(tmp_path))
    assert machine.distance(1, 17) == 43
    assert machine.distance(17, 1) == 44  # asymmetric: rows are from, columns are to
    ids, matrix = machine.distance_matrix()
    assert (ids.dtype, matrix.dtype) == (np.int32, np.int32)
    np.testing.assert_array_equal(ids, [0, 1, 16, 17])
    np.testing.assert_array_equal(
        matrix, [[10, 20, 40, 41], [20, 10, 42, 43], [40, 42, 10, 20], [41, 44, 20, 10]]
    )


def test_node_without_memory(tmp_path):
    node = topology(fake.power(tmp_path)).nodes[1]
    assert (node.cpus, node.memory_total, node.memory_free) == (tuple(range(16, 32)), 0, 0)
    assert (node.has_cpus, node.has_memory, node.allowed) == (True, False, False)
    assert dict(node.huge_pages) == {}


def test_node_without_cpus(tmp_path):
    node = topology(fake.power(tmp_path)).nodes[17]
    assert (node.cpus, node.memory_total, node.memory_free) == ((), 96 * MIB, MIB)
    assert (node.has_cpus, node.has_memory, node.allowed) == (False, True, True)
    assert node.huge_pages[GIB] == HugePagePool(1, 0, 0)


def test_no_node_has_a_cpu(tmp_path):
    nodes = {3: fake.FakeNode("", "10", 4096, 4096)}
    sysfs = fake.numa_machine(tmp_path, nodes, online="3", possible="3", has_memory="3", has_cpu="")
    machine = topology(sysfs)
    assert (machine.cpu_nodes, machine.memory_nodes) == ((), (3,))


def test_arm_with_64_kib_pages(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 64 * KIB}.__getitem__)
    pools = {2048: (0, 0, 0), 524288: (3, 2, 0), 16777216: (1, 1, 1)}
    sysfs = fake.numa_machine(
        tmp_path,
        {0: fake.FakeNode("0-79", "10", 4194304, 2097152, pools)},
        online="0",
        possible="0",
        has_memory="0",
        has_cpu="0",
        pool_sizes_kb=(524288, 2048, 16777216),
    )
    machine = topology(sysfs)
    assert machine.page_size == 65536
    assert machine.huge_page_sizes == (2 * MIB, 512 * MIB, 16 * GIB)
    assert machine.nodes[0].huge_pages == {
        2 * MIB: HugePagePool(0, 0, 0),
        512 * MIB: HugePagePool(3, 2, 0),
        16 * GIB: HugePagePool(1, 1, 1),
    }
    assert str(machine) == (
        "1 NUMA node (0), pages of 64 KiB, huge pages: 2 MiB, 512 MiB, 16 GiB\n"
        "\n"
        "node  CPUs  memory   free  huge pages free\n"
        "   0  0-79   4 GiB  2 GiB  2 of 3 x 512 MiB\n"
        "                           1 of 1 x 16 GiB"
    )


def test_kernel_without_numa(tmp_path):
    machine = topology(fake.without_numa(tmp_path))
    assert not machine.numa
    assert dict(machine.nodes) == {
        0: Node(
            id=0,
            cpus=(0, 1, 2, 3),
            memory_total=1000 * KIB,
            memory_free=250 * KIB,
            has_memory=True,
            allowed=True,
            distances={0: 10},
            huge_pages={2 * MIB: HugePagePool(8, 3, 1)},
        )
    }
    assert "no NUMA support" in str(machine)


@pytest.mark.parametrize(
    ("kib", "memory_nodes"), [((4096, 8192), (0, 1)), ((4096, 0), (0,))], ids=["both", "first"]
)
def test_old_kernel_without_has_memory(tmp_path, kib, memory_nodes):
    sysfs = fake.two_nodes(tmp_path, has_memory=None)
    fake.write_node(sysfs, 1, fake.FakeNode("4-7", "21 10", kib[1], 0))
    assert topology(sysfs).memory_nodes == memory_nodes


def test_has_memory_outranks_the_total(tmp_path):
    assert topology(fake.two_nodes(tmp_path, has_memory="1")).memory_nodes == (1,)


# Nodes that the cpuset allows


@pytest.mark.parametrize("directory", ["thread-self", "self"])
def test_cpuset_of_the_proc_beside_sysfs(tmp_path, directory):
    sysfs = fake.power(tmp_path)
    status = "Name:\tpython\nMems_allowed:\t00000003\nMems_allowed_list:\t0-1\n"
    fake.write(tmp_path / "proc" / directory / "status", status)
    machine = topology(sysfs)
    assert machine.allowed_nodes == (0,)
    assert not machine.nodes[16].allowed


def test_thread_outranks_process(tmp_path):
    sysfs = fake.two_nodes(tmp_path)
    fake.write(tmp_path / "proc" / "thread-self" / "status", "Mems_allowed_list:\t1\n")
    fake.write(tmp_path / "proc" / "self" / "status", "Mems_allowed_list:\t0\n")
    assert topology(sysfs).allowed_nodes == (1,)


def test_kernel_without_cpusets_allows_all(tmp_path):
    sysfs = fake.two_nodes(tmp_path)
    fake.write(tmp_path / "proc" / "thread-self" / "status", "Name:\tpython\n")
    assert topology(sysfs).allowed_nodes == (0, 1)


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [([0], (0,)), ({1, 16, 99}, (16,)), (np.array([16, 17], dtype=np.int32), (16, 17)), ((), ())],
)
def test_allowed_is_given(tmp_path, allowed, expected):
    assert topology(fake.power(tmp_path), allowed=allowed).allowed_nodes == expected


@pytest.mark.parametrize(
    ("allowed", "error"),
    [("0-1", TypeError), (0, TypeError), ([0.5], TypeError), ([-1], ValueError)],
)
def test_allowed_refuses(tmp_path, allowed, error):
    with pytest.raises(error, match=r"allowed: expected .*got"):
        topology(fake.two_nodes(tmp_path), allowed=allowed)
