"""A topology as a value, as JSON and as a table."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import pickle

import pytest

import sysfs_fixtures as fake
from movepages.display.topology_table import table
from movepages.system import sysfs
from movepages.system.node import HugePagePool, Node
from movepages.system.topology import Topology
from movepages.system.topology_reader import topology
from sysfs_fixtures import GIB, KIB, MIB


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


@pytest.mark.parametrize("width", [60, 80])
def test_table_of_a_large_machine_fits_a_terminal(width):
    ids = [*range(0, 60, 2), 1023]
    nodes = {
        i: Node(
            id=i,
            # Uneven, because regular ids are abbreviated.
            cpus=(*range(k, 4096, 2 * len(ids)), 4096 + 3 * k),
            memory_total=1023 * GIB + MIB,
            memory_free=1022 * GIB + MIB,
            has_memory=True,
            allowed=False,
            distances=dict.fromkeys(ids, 254),
            huge_pages={512 * MIB: HugePagePool(12345, 12345, 0)},
        )
        for k, i in enumerate(ids)
    }
    machine = Topology(nodes, (), 4096, (512 * MIB,))
    lines = table(machine, width).splitlines()
    assert (str(machine) == "\n".join(lines)) == (width == 80)
    assert max(map(len, lines)) <= width
    start = next(k for k, line in enumerate(lines) if line.startswith("   0  "))
    end = next(k for k, line in enumerate(lines) if line.startswith("   2  "))
    cpus = "".join(line[6:].split()[0] for line in lines[start:end] if line[6] != " ")
    assert sysfs.parse_ids(cpus) == nodes[0].cpus
    # Every node has a row in each block of columns, and no column is missing.
    headers = [line.split()[1:] for line in lines if line.startswith("distance")]
    assert [int(i) for header in headers for i in header] == ids


@pytest.mark.parametrize(
    ("cpus", "told"),
    [
        (range(0, 192, 2), "0-190:2"), (range(3, 64, 4), "3-63:4"), ((0, 2), "0,2"),
        ((0, 2, 4, 5), "0,2,4-5"), (range(8), "0-7"), ((7,), "7"), ((), "-"),
    ],
)  # fmt: skip
def test_regular_cpu_ids_are_abbreviated(cpus, told):
    node = Node(
        id=0, cpus=tuple(cpus), memory_total=GIB, memory_free=GIB, has_memory=True, allowed=True,
        distances={0: 10}, huge_pages={},
    )  # fmt: skip
    row = str(Topology({0: node}, (), 4096, ())).splitlines()[3]
    assert row.split()[:2] == ["0", told]
