"""What a plan says of one read of the memory, by measured bandwidths."""

import pytest

import movepages as mp
from advice_fixtures import bandwidth, machine
from movepages.migration import reading
from movepages.results.kept_bandwidth import keep_bandwidth
from movepages.system import target_nodes
from movepages.system.machine_key import machine_key
from support import memory

MIB = 1 << 20


@pytest.fixture
def two(tmp_path, monkeypatch):
    found = machine(tmp_path)
    monkeypatch.setattr(reading, "machine_if_known", lambda: found)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return found


def test_nothing_is_said_before_a_measurement(two):
    a = memory.anonymous(2 * MIB, mp.topology().allowed_nodes[0])
    memory.touch(a)
    p = mp.plan(a, mp.blocks([0, 1]))
    assert p.reading is p.as_dict()["reading"] is None
    assert "read" not in str(p)


@pytest.mark.skipif(0 not in mp.topology().allowed_nodes, reason="needs node 0")
def test_each_part_is_read_near_its_target_and_turns_by_all(two):
    keep_bandwidth(bandwidth(100, 25, machine_key(two)))
    a = memory.anonymous(2 * MIB, 0)
    memory.touch(a)
    blocks, turns = mp.plan(a, mp.blocks([0, 1])), mp.plan(a, mp.interleave([0, 1]))
    assert blocks.reading == pytest.approx((MIB / 25e9, MIB / 100e9))
    assert blocks.as_dict()["reading"] == list(blocks.reading)
    # Each node's CPUs read half of all of it, by half from the far node.
    half = MIB / 2
    assert turns.reading == pytest.approx((MIB / 25e9, half / 25e9 + half / 100e9))
    assert "one read of all of it: about 42 us now, 10 us then" in str(blocks)
    assert mp.plan(a, 2).reading == pytest.approx((2 * MIB / 25e9, 2 * MIB / 100e9))
    assert "one read" not in str(mp.plan(a, 0))


def test_a_plan_is_told_where_the_nodes_are_hidden(monkeypatch):
    monkeypatch.setattr(target_nodes, "read_topology", hidden)
    a = memory.anonymous(2 * MIB)
    memory.touch(a)
    p = mp.plan(a, mp.topology().allowed_nodes[-1])
    assert p.reading is p.as_dict()["reading"] is None
    assert "to move" in str(p)


def hidden():
    raise mp.TopologyError("sysfs is not mounted")
