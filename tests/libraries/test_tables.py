"""Tables for pandas have what the results have."""

import pytest

import movepages as mp
import movepages.advice.advise as advising
from advice_fixtures import MIB, machine
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
    here = mp.topology()
    nodes = here.to_pandas()
    assert nodes.index.tolist() == list(here.nodes)
    for a in here.nodes:
        assert nodes.loc[a, "cpus"] == here.nodes[a].cpus
        for b in here.nodes:
            assert nodes.loc[a, f"distance{b}"] == here.distance(a, b)
    devices = here.to_pandas("devices")
    assert devices.index.tolist() == [each.name for each in here.devices]
    assert [*devices] == ["kind", "node", "pci", "driver", "physical_function"]
    with pytest.raises(ValueError, match="of: expected 'nodes' or 'devices', got 'cpus'"):
        here.to_pandas("cpus")


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


@pytest.mark.skipif(NODE != 0, reason="needs node 0")
def test_a_table_of_advice(tmp_path, monkeypatch):
    two_nodes = machine(tmp_path)
    monkeypatch.setattr(advising, "read_topology", lambda: two_nodes)
    both = {"a": memory.anonymous(8 * MIB, NODE), "b": memory.anonymous(4 * MIB, NODE)}
    found = mp.advise(both, cpus=[2, 3])
    table = found.to_pandas()
    assert len(table) == len(found.findings) == 2
    assert table["layout"].tolist() == ["1", "1"]
    assert sorted(table["node0"]) == [4 * MIB, 8 * MIB]
