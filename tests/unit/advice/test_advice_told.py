"""What advice tells, by which figures, and what it keeps."""

import copy
import json

import numpy as np
import pytest

import movepages as mp
import movepages.advice.advise as advising
import movepages.advice.carry_out as carrying_out
from advice_fixtures import MIB, bandwidth, filled, machine
from movepages.results.kept_bandwidth import keep_bandwidth
from movepages.system.machine_key import machine_key
from support import memory

pytestmark = pytest.mark.skipif(0 not in mp.topology().allowed_nodes, reason="needs node 0")


def test_what_is_told(two):
    found = mp.advise({"big array": filled(2 * MIB), "b": filled(2 * MIB)}, cpus=[2, 3])
    text = str(found)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "used by 2 threads on node 1" in text
    assert "move it to node 1" in text
    assert "placement, not on access" in text
    assert "['big array']" in text
    assert "node 1" in found._repr_html_()
    assert "2 of 2 to change" in repr(found)
    data = found.as_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_html_shows_names_as_they_are(two):
    found = mp.advise({"<script>": filled(2 * MIB), "b": filled(2 * MIB)}, cpus=[2])
    assert "<script>" not in found._repr_html_()
    assert "&lt;script&gt;" in found._repr_html_()


def test_advice_cannot_be_copied(two):
    found = mp.advise(filled(2 * MIB), cpus=[2])
    with pytest.raises(TypeError, match="cannot be copied"):
        copy.deepcopy(found)


def test_the_same_advice_for_several_is_told_once(two):
    keep_bandwidth(bandwidth(key=machine_key(two)))
    found = mp.advise({f"a{i}": filled((i + 2) * MIB) for i in range(4)}, cpus=[2])
    text = " ".join(str(found).split())
    assert "a3 and 3 more: move it to node 1" in text
    assert text.count("all threads that use it run on node 1") == 1
    assert "14 MiB to be moved" in text
    costs = sum(each.cost_seconds for each in found.findings)
    gains = sum(each.pass_seconds - each.pass_seconds_after for each in found.findings)
    assert f"paid after {max(1, int(np.ceil(costs / gains)))}" in text


def test_one_node_has_nothing_to_compare(tmp_path, monkeypatch):
    found = machine(tmp_path)
    only = type(found)({0: found.nodes[0]}, (), memory.PAGE, ())
    monkeypatch.setattr(advising, "read_topology", lambda: only)
    told = mp.advise(filled(2 * MIB), cpus=[0])
    assert told.ok
    assert "nothing to compare" in " ".join(str(told).split())
    monkeypatch.setattr(advising, "use_of", lambda *_: None)
    assert "no known node" in " ".join(str(mp.advise(filled(2 * MIB))).split())


def test_kept_figures_are_used(two):
    a = filled(2 * MIB)
    unknown = mp.advise(a, cpus=[2])
    assert unknown.findings[0].passes is None
    assert any("bench --matrix" in note for note in unknown.notes)
    # They were measured with other CPUs of this host.
    key = machine_key(two)._replace(cpus="0-999")
    keep_bandwidth(bandwidth(key=key))
    known = mp.advise(a, cpus=[2])
    assert known.findings[0].passes >= 1
    assert not any("bench --matrix" in note for note in known.notes)
    keep_bandwidth(bandwidth(100, 99, key=key))
    assert mp.advise(a, cpus=[2]).ok


def test_figures_of_other_hosts_and_damaged_files_are_not_used(two, tmp_path):
    keep_bandwidth(bandwidth(key=machine_key(two)._replace(host="elsewhere")))
    (tmp_path / "movepages" / "bandwidth-0123456789abcdef.json").write_text("{")
    assert mp.advise(filled(2 * MIB), cpus=[2]).findings[0].passes is None


def test_what_was_done_is_kept_after_an_error(two, monkeypatch):
    a, b = filled(4 * MIB), filled(2 * MIB)
    found = mp.advise({"a": a, "b": b}, cpus=[2])

    def move(array, target, **_how):
        if array is b:
            raise mp.MovePagesMemoryError(12, "no room")
        return target

    monkeypatch.setattr(carrying_out, "move", move)
    with pytest.raises(mp.MovePagesMemoryError):
        found.execute()
    assert found.done == {"a": 1}
