"""HMAT, memory tiers and the kernel's weights of nodes in fake trees, and weighted() by them."""

from __future__ import annotations

import numpy as np
import pytest

import device_fixtures as fake
import movepages as mp
from movepages.layouts.known_shares import known_shares
from movepages.system.node_performance import Access
from movepages.system.sysfs import TopologyError


def test_cxl_machine(tmp_path):
    machine = mp.topology(fake.cxl(tmp_path))
    assert machine.memory_tiers == {4: (0, 1), 22: (2,)}
    assert (machine.nodes[2].tier, machine.nodes[2].weight) == (22, 1)
    assert machine.auto_weights is True
    assert machine.nodes[2].from_cpus == Access((1,), 60100, 60000, 260, 265)
    assert list(machine.nodes[2].access) == [0, 1]


def test_table(tmp_path):
    text = str(mp.topology(fake.cxl(tmp_path)))
    assert text.endswith(
        "\n\nnode  tier  weight  from  read/write MB/s  read/write ns\n"
        "   0     4       5     0    300100/300000         95/100\n"
        "   1     4       5     1    300100/300000         95/100\n"
        "   2    22       1     1      60100/60000        260/265"
    )
    assert "60100/60000" in mp.topology(tmp_path / "sys")._repr_html_()


def test_json(tmp_path):
    node = mp.topology(fake.cxl(tmp_path)).as_dict()["nodes"][2]
    assert (node["tier"], node["weight"]) == (22, 1)
    assert node["access"][1] == {
        "class": 1, "initiators": [1], "read_bandwidth": 60100, "write_bandwidth": 60000,
        "read_latency": 260, "write_latency": 265,
    }  # fmt: skip


def test_machine_that_tells_nothing(tmp_path):
    machine = mp.topology(fake.sub_numa(tmp_path))
    node = machine.nodes[0]
    assert (node.from_cpus, node.tier, node.weight, machine.auto_weights) == (None,) * 4
    assert machine.memory_tiers == {}
    assert "tier" not in str(machine)
    assert not {"tier", "weight", "access"} & set(machine.as_dict()["nodes"][0])


def test_figures_that_firmware_leaves_out(tmp_path):
    sysfs = fake.sub_numa(tmp_path)
    fake.add_access(sysfs, 3, (2, 3), {"read_latency": 70, "write_latency": 0})
    assert mp.topology(sysfs).nodes[3].from_cpus == Access((2, 3), None, None, 70, None)
    assert "70/?" in str(mp.topology(sysfs))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("node2/access1/initiators/read_latency", "fast\n", "one number"),
        ("../../virtual/memory_tiering/memory_tier4/nodelist", "x\n", "a list of ids"),
        ("../../../kernel/mm/mempolicy/weighted_interleave/node1", "-1\n", "one number"),
        ("../../../kernel/mm/mempolicy/weighted_interleave/auto", "maybe\n", "'true' or 'false'"),
    ],
)
def test_malformed_file_is_named(tmp_path, name, text, expected):
    path = fake.fake.node_directory(fake.cxl(tmp_path)) / name
    path.write_text(text)
    with pytest.raises(TopologyError, match=f"expected {expected}"):
        mp.topology(tmp_path / "sys")


# weighted() without shares


def test_weights_of_the_kernel(tmp_path, monkeypatch):
    machine = mp.topology(fake.cxl(tmp_path))
    assert known_shares(machine) == {0: 5, 1: 5, 2: 1}
    monkeypatch.setattr("movepages.layouts.interleave.read_topology", lambda: machine)
    a = np.zeros(11 * machine.page_size, np.uint8)
    counts = np.bincount(mp.targets(a, mp.weighted(block=machine.page_size))[:11]).tolist()
    assert counts == [5, 5, 1]


def test_only_allowed_nodes_have_weights(tmp_path):
    assert known_shares(mp.topology(fake.cxl(tmp_path), allowed=[1, 2])) == {1: 5, 2: 1}


@pytest.mark.parametrize(
    ("weights", "auto", "expected"),
    [
        ({0: 1, 1: 1, 2: 1}, None, {0: 7, 1: 7, 2: 1}),  # nobody has set them: by bandwidth
        ({0: 1, 1: 1, 2: 1}, "false", {0: 1, 1: 1, 2: 1}),
        ({0: 2, 1: 1, 2: 1}, None, {0: 2, 1: 1, 2: 1}),
        ({}, None, {0: 14, 1: 14, 2: 2}),
    ],
)
def test_weights_or_bandwidths(tmp_path, weights, auto, expected):
    sysfs = fake.cxl(tmp_path)
    folder = sysfs / "kernel/mm/mempolicy/weighted_interleave"
    for file in folder.iterdir():
        file.unlink()
    fake.add_weights(sysfs, weights, auto)
    found = known_shares(mp.topology(sysfs))
    share = {node: count / sum(found.values()) for node, count in found.items()}
    wanted = {node: count / sum(expected.values()) for node, count in expected.items()}
    assert share == pytest.approx(wanted, abs=0.03)


def test_equal_weights_without_bandwidths(tmp_path):
    sysfs = fake.vm(tmp_path)
    fake.add_weights(sysfs, {0: 1, 1: 1})
    assert known_shares(mp.topology(sysfs)) == {0: 1, 1: 1}


def test_nothing_suggests_weights(tmp_path):
    with pytest.raises(TopologyError, match=r"Linux 6\.9.*bandwidth of node 0-1"):
        known_shares(mp.topology(fake.vm(tmp_path)))
