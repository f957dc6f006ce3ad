"""Tables for pandas have what the results have."""

import pytest

import movepages as mp
from support import memory

pytest.importorskip("pandas")

PAGE = memory.PAGE
NODE = mp.topology().allowed_nodes[0]


def two_arrays():
    return {"a": memory.anonymous(8 * PAGE, NODE), "b": memory.anonymous(4 * PAGE)}


def test_a_table_of_members():
    table = mp.where(two_arrays()).to_pandas()
    assert table.index.tolist() == ["a", "b"]
    assert table[f"node{NODE}"].tolist() == [8 * PAGE, 0]
    assert table["absent_bytes"].tolist() == [0, 4 * PAGE]


def test_a_table_of_what_a_move_did():
    both = two_arrays()
    moved = mp.move(both, NODE)
    table = moved.to_pandas()
    assert table.equals(moved.by_member.to_pandas())
    assert table["already_there"].to_dict() == {"a": 8, "b": 0}
    assert table["ENOENT"].to_dict() == {"a": 0, "b": 4}
    assert mp.move(both["a"], NODE).to_pandas()["ok"].to_dict() == {"": True}


def test_tables_of_the_machine():
    machine = mp.topology()
    nodes = machine.to_pandas()
    assert nodes.index.tolist() == list(machine.nodes)
    for a in machine.nodes:
        assert nodes.loc[a, "cpus"] == machine.nodes[a].cpus
        for b in machine.nodes:
            assert nodes.loc[a, f"distance{b}"] == machine.distance(a, b)
    devices = machine.to_pandas("devices")
    assert devices.index.tolist() == [each.name for each in machine.devices]
    assert [*devices] == ["kind", "node", "pci", "driver", "physical_function"]
    with pytest.raises(ValueError, match="of: expected 'nodes' or 'devices', got 'cpus'"):
        machine.to_pandas("cpus")


def test_a_table_of_regions():
    p = mp.process()
    regions = p.regions()
    table = p.to_pandas(regions)
    assert table["address"].tolist() == regions["address"].tolist()
    assert table["name"].tolist() == regions["name"].tolist()
    assert table[[f"node{n}" for n in p.nodes]].to_numpy().tolist() == regions["bytes"].tolist()
    assert len(p.to_pandas(regions[0])) == 1
    assert len(p.to_pandas(regions[:0])) == 0
    assert len(p.to_pandas()) > 1


def test_a_table_of_samples():
    samples = mp.watch(0, 0.05, count=3)
    table = samples.to_pandas()
    nodes = mp.process(0).nodes
    assert [*table] == [
        "time", "nbytes", *(f"node{n}" for n in nodes), *(f"node{n}_per_second" for n in nodes)
    ]  # fmt: skip
    assert (table[[f"node{n}" for n in nodes]].sum(axis=1) == table["nbytes"]).all()
    assert table["time"].is_monotonic_increasing
    assert list(samples) == []
