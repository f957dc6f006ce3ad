"""topology(): odd machines built in a temporary directory, then this one."""

from __future__ import annotations

import copy
import dataclasses
import errno
import itertools
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sysfs_fixtures as fake
from hypothesis import given
from hypothesis import strategies as st

from movepages import _sysfs
from movepages._sysfs import TopologyError
from movepages.machine import HugePagePool, Node, Topology
from movepages.topology import topology

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


# The list format


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("\n", ()),
        ("", ()),
        ("0\n", (0,)),
        ("0-1,16-17\n", (0, 1, 16, 17)),
        ("0,2,4-6\n", (0, 2, 4, 5, 6)),
        ("\t0-1\n", (0, 1)),
    ],
)
def test_parse_ids(text, ids):
    assert _sysfs.parse_ids(text) == ids


@pytest.mark.parametrize("text", ["a", "1-", "-1", "3-1", "1,,2", "0,", "1 2", "1_0", "٣", "0-8:2"])
def test_parse_ids_refuses(text):
    with pytest.raises(ValueError, match="neither an id nor"):
        _sysfs.parse_ids(text)


def test_format_ids_as_the_kernel_does():
    assert _sysfs.format_ids([17, 0, 1, 16, 5]) == "0-1,5,16-17"
    assert _sysfs.format_ids([]) == ""


@given(st.sets(st.integers(0, 300)))
def test_list_format_round_trip(ids):
    text = _sysfs.format_ids(ids)
    assert _sysfs.parse_ids(text + "\n") == tuple(sorted(ids))
    # Canonical: neighbouring ranges never touch, as in the kernel's %*pbl.
    bounds = [[int(end) for end in part.split("-")] for part in text.split(",") if part]
    assert all(b[0] - a[-1] > 1 for a, b in itertools.pairwise(bounds))


# Odd machines


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


# What the cpuset allows


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


# Nodes that are not there


@pytest.mark.parametrize(
    ("node_id", "why"), [(8, "node 8 is offline"), (5, "node 5 does not exist")]
)
def test_node_lookup_says_what_there_is(tmp_path, node_id, why):
    machine = topology(fake.power(tmp_path))
    for lookup in (
        machine.node,
        lambda i: machine.distance(0, i),
        lambda i: machine.distance(i, 0),
    ):
        with pytest.raises(KeyError, match=f"{why}: the online nodes are 0-1,16-17"):
            lookup(node_id)
    with pytest.raises(KeyError, match="no 5 here: there are 0-1,16-17"):
        machine.nodes[5]
    assert machine.nodes.get(5) is None


def unplug_after(monkeypatch, trigger, unplug):
    """Call `unplug` once, just before the file `trigger` is read."""
    real = _sysfs.read
    pending = [unplug]

    def read(path):
        if str(path).endswith(trigger) and pending:
            pending.pop()()
        return real(path)

    monkeypatch.setattr(_sysfs, "read", read)


def test_hot_unplug_in_mid_read_reads_again(tmp_path, monkeypatch):
    sysfs = fake.two_nodes(tmp_path)
    nodes = fake.node_directory(sysfs)

    def unplug():
        (nodes / "online").write_text("0\n")
        (nodes / "has_memory").write_text("0\n")
        (nodes / "node0" / "distance").write_text("10\n")
        shutil.rmtree(nodes / "node1")

    unplug_after(monkeypatch, "node1/cpulist", unplug)
    machine = topology(sysfs)
    assert list(machine.nodes) == [0]
    assert machine.nodes[0].distances == {0: 10}
    assert machine.offline_nodes == (1,)


def test_hot_plug_in_mid_read_reads_again(tmp_path, monkeypatch):
    sysfs = fake.two_nodes(tmp_path)
    nodes = fake.node_directory(sysfs)

    def plug():  # node 0's distances, already three, no longer match the two online ids
        (nodes / "online").write_text("0-1,7\n")
        (nodes / "node0" / "distance").write_text("10 21 30\n")
        (nodes / "node1" / "distance").write_text("21 10 31\n")
        fake.write_node(sysfs, 7, fake.FakeNode("", "30 31 10", 64, 32))

    unplug_after(monkeypatch, "node0/distance", plug)
    assert topology(sysfs).nodes[1].distances == {0: 21, 1: 10, 7: 31}


def test_node_whose_directory_is_gone_is_left_out(tmp_path, monkeypatch):
    sysfs = fake.two_nodes(tmp_path)
    node1 = fake.node_directory(sysfs) / "node1"
    unplug_after(monkeypatch, "node1/meminfo", lambda: shutil.rmtree(node1))
    machine = topology(sysfs)
    assert list(machine.nodes) == [0]
    assert machine.nodes[0].distances == {0: 10}


def test_device_gone_while_its_file_is_open(tmp_path, monkeypatch):
    sysfs = fake.two_nodes(tmp_path)
    real = Path.read_text

    def read_text(self, *args, **kwargs):
        if "node1" in self.parts:
            shutil.rmtree(self.parent, ignore_errors=True)
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", read_text)
    assert list(topology(sysfs).nodes) == [0]


# Broken trees


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("node1/distance", "21\n"),
        ("node1/distance", "21 10 20\n"),
        ("node1/distance", "21 ten\n"),
        ("node1/meminfo", "Node 1 MemTotal:       lots kB\n"),
        ("node1/meminfo", "Node 1 MemTotal:       8192 kB\n"),
        ("node1/cpulist", "4-x\n"),
        ("node1/hugepages/hugepages-2048kB/free_hugepages", "-1\n"),
        ("online", "zero\n"),
        ("has_memory", "1-0\n"),
    ],
)
def test_malformed_file_is_named_with_its_content(tmp_path, name, content):
    sysfs = fake.two_nodes(tmp_path)
    fake.write_pools(fake.node_directory(sysfs) / "node1" / "hugepages", {2048: (0, 0, 0)})
    path = fake.node_directory(sysfs) / name
    path.write_text(content)
    with pytest.raises(TopologyError) as caught:
        topology(sysfs)
    assert str(caught.value).startswith(f"{path}: expected ")
    assert str(caught.value).endswith(f"found {content!r}")


@pytest.mark.parametrize("name", ["online", "possible", "node1/distance", "node1/cpulist"])
def test_missing_file_is_named(tmp_path, name):
    sysfs = fake.two_nodes(tmp_path)
    path = fake.node_directory(sysfs) / name
    path.unlink()
    with pytest.raises(TopologyError, match=re.escape(f"cannot read {path}: No such file")):
        topology(sysfs)


def test_malformed_cpuset_is_named(tmp_path):
    path = tmp_path / "proc" / "thread-self" / "status"
    fake.write(path, "Mems_allowed_list:\tall\n")
    with pytest.raises(TopologyError, match=re.escape(f"{path}: expected a list of ids")):
        topology(fake.two_nodes(tmp_path))


def test_no_node_left_is_an_error(tmp_path):
    sysfs = fake.two_nodes(tmp_path)
    for node in ("node0", "node1"):
        shutil.rmtree(fake.node_directory(sysfs) / node)
    with pytest.raises(TopologyError, match=r"none of the online nodes \(0-1\) has a directory"):
        topology(sysfs)


def test_hidden_sysfs_is_an_error(tmp_path):
    with pytest.raises(OSError, match=r"sys/devices/system/node does not exist.*mount -t sysfs"):
        topology(tmp_path / "sys")


# Plain data


def test_values_not_views(tmp_path):
    machine = topology(fake.power(tmp_path))
    assert pickle.loads(pickle.dumps(machine)) == machine == copy.deepcopy(machine)
    assert hash(machine) == hash(topology(tmp_path / "sys"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        machine.page_size = 1
    with pytest.raises(TypeError):
        machine.nodes[0] = machine.nodes[1]


def test_never_caches(tmp_path):
    sysfs = fake.two_nodes(tmp_path)
    before = topology(sysfs)
    fake.write_node(sysfs, 0, fake.FakeNode("0-3", "10 21", 4096, 512))
    assert before.nodes[0].memory_free == 1024 * KIB
    assert topology(sysfs).nodes[0].memory_free == 512 * KIB


def test_as_dict_survives_json(tmp_path):
    data = topology(fake.power(tmp_path), allowed=[0]).as_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["huge_page_sizes"] == [2 * MIB, 16 * MIB, GIB]
    assert data["nodes"][3] == {
        "id": 17,
        "cpus": [],
        "memory_total": 96 * MIB,
        "memory_free": MIB,
        "has_memory": True,
        "allowed": False,
        "distances": {"0": 41, "1": 44, "16": 20, "17": 10},
        "huge_pages": [
            {"size": 2 * MIB, "total": 4, "free": 4, "surplus": 0},
            {"size": GIB, "total": 1, "free": 0, "surplus": 0},
        ],
    }


def test_table(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096}.__getitem__)
    assert str(topology(fake.power(tmp_path), allowed=[0, 17])) == (
        "4 NUMA nodes (0-1, 16-17), pages of 4 KiB, huge pages: 2 MiB, 16 MiB, 1 GiB\n"
        "\n"
        "node  CPUs        memory     free  huge pages free    notes\n"
        "   0  0-15,32-47   1 GiB  512 MiB  12 of 512 x 2 MiB\n"
        "   1  16-31          0 B      0 B                     no memory\n"
        "  16  48-63        2 GiB    2 GiB                     not allowed\n"
        "                                                      by the cpuset\n"
        "  17  -           96 MiB    1 MiB  4 of 4 x 2 MiB     memory only\n"
        "                                   0 of 1 x 1 GiB\n"
        "\n"
        "distance   0   1  16  17\n"
        "       0  10  20  40  41\n"
        "       1  20  10  42  43\n"
        "      16  40  42  10  20\n"
        "      17  41  44  20  10"
    )


def test_table_of_a_large_machine_fits_a_terminal():
    ids = [*range(0, 60, 2), 1023]
    nodes = {
        i: Node(
            id=i,
            cpus=tuple(range(k, 4096, 2 * len(ids))),
            memory_total=1023 * GIB + MIB,
            memory_free=1022 * GIB + MIB,
            has_memory=True,
            allowed=False,
            distances=dict.fromkeys(ids, 254),
            huge_pages={512 * MIB: HugePagePool(12345, 12345, 0)},
        )
        for k, i in enumerate(ids)
    }
    lines = str(Topology(nodes, (), 4096, (512 * MIB,))).splitlines()
    assert max(map(len, lines)) <= 80
    start = next(k for k, line in enumerate(lines) if line.startswith("   0  "))
    end = next(k for k, line in enumerate(lines) if line.startswith("   2  "))
    cpus = "".join(line[6:].split()[0] for line in lines[start:end])
    assert _sysfs.parse_ids(cpus) == nodes[0].cpus
    # Every node has a row in each of the blocks of columns, and no column is lost.
    headers = [line.split()[1:] for line in lines if line.startswith("distance")]
    assert [int(i) for header in headers for i in header] == ids


def test_module_and_function_share_a_name():
    """Once the package exports the function, the module must still be importable from."""
    code = (
        "import movepages, movepages.topology\n"
        "from movepages.topology import topology\n"
        "movepages.topology = topology\n"
        "from movepages.topology import Node, Topology\n"
        "import pickle\n"
        "assert pickle.loads(pickle.dumps(Node)) is Node\n"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


# This machine


@pytest.fixture
def here():
    try:
        return topology()
    except TopologyError as err:
        pytest.skip(str(err))


def real_ids(path):
    return _sysfs.parse_ids(Path(path).read_text())


def test_cpus_here_are_the_online_cpus(here):
    cpus = [cpu for node in here.nodes.values() for cpu in node.cpus]
    assert len(cpus) == len(set(cpus))
    assert sorted(cpus) == list(real_ids("/sys/devices/system/cpu/online"))


def test_sizes_here(here):
    assert here.page_size == os.sysconf("SC_PAGE_SIZE")
    assert all(size > here.page_size for size in here.huge_page_sizes)
    for node in here.nodes.values():
        assert 0 <= node.memory_free <= node.memory_total
        assert node.has_memory == (node.memory_total > 0)
        assert set(node.huge_pages) <= set(here.huge_page_sizes)


def test_memory_here_is_what_zoneinfo_manages(here):
    """An independent witness: node totals are the pages its zones manage (si_meminfo_node)."""
    managed = dict.fromkeys(here.nodes, 0)
    for line in Path("/proc/zoneinfo").read_text().splitlines():
        if match := re.match(r"Node ([0-9]+), zone", line):
            current = int(match[1])
        elif match := re.match(r" +managed +([0-9]+)$", line):
            managed[current] += int(match[1]) * here.page_size
    totals = {i: node.memory_total for i, node in here.nodes.items()}
    assert totals == pytest.approx(managed, rel=0.01)
    assert sum(totals.values()) <= _sysfs.read_meminfo(Path("/proc/meminfo"))[0] * 1.01


def test_distances_here(here):
    for a in here.nodes:
        assert here.distance(a, a) == min(here.nodes[a].distances.values())
        assert list(here.nodes[a].distances) == list(here.nodes)


def test_allowed_here_is_the_thread_s_cpuset(here):
    status = Path("/proc/thread-self/status").read_text()
    match = re.search(r"^Mems_allowed_list:\s*(.*)$", status, re.MULTILINE)
    allowed = _sysfs.parse_ids(match[1]) if match else here.memory_nodes  # no CONFIG_CPUSETS
    assert set(here.allowed_nodes) == set(allowed) & set(here.memory_nodes)
