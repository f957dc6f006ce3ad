"""advise(): arguments, what is looked at, and what is told; on any machine."""

import copy
import json
import mmap
import os

import numpy as np
import pytest

import movepages as mp
import movepages.advice.advise as advising
import movepages.advice.carry_out as carrying_out
import movepages.advice.mappings as mappings_module
from advice_fixtures import bandwidth, machine
from movepages.advice import judge as judging
from movepages.advice.mappings import Mappings
from movepages.advice.subjects import of_object, of_process
from movepages.results.kept_bandwidth import keep_bandwidth
from movepages.system.machine_key import machine_key
from support import memory, nodes, processes
from support.policies import thread_has

pytestmark = pytest.mark.skipif(0 not in mp.topology().allowed_nodes, reason="needs node 0")

MIB = 1 << 20


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Have advise() see a machine with two sockets; memory and threads stay real."""
    found = machine(tmp_path)
    monkeypatch.setattr(advising, "read_topology", lambda: found)
    monkeypatch.setattr(advising, "is_balancing", lambda: False)
    monkeypatch.setattr(judging, "rate_known", lambda: 2.0**30)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return found


def told_of(obj):
    mappings = Mappings(0, mp.topology().memory_nodes)
    return [mappings.told_of(each) for each in of_object(obj)]


def filled(nbytes):
    a = memory.anonymous(nbytes, 0)
    memory.touch(a)
    return a


def test_members_are_looked_at_one_by_one_and_small_ones_together(two):
    small = [filled(memory.PAGE) for _ in range(300)]
    held = {"a": filled(2 * MIB), "b": filled(4 * MIB), "rest": small}
    found = mp.advise(held, cpus=[2, 3])
    assert [each.name for each in found.findings] == ["b", "a", "300 smaller members"]
    assert [each.layout for each in found.findings] == ["1", "1", "1"]
    assert not found.ok
    assert found.users == {1: 1.0}
    together = found.findings[2]
    assert (together.nbytes, together.to_move) == (300 * memory.PAGE, 300 * memory.PAGE)
    both = mp.advise(held, cpus=[0, 2])
    assert [each.layout for each in both.findings] == ["blocks:0,1", "blocks:0,1", ""]


def test_many_small_members_are_not_divided_among_threads(two):
    small = [filled(memory.PAGE) for _ in range(600)]
    (found,) = mp.advise(small, cpus=[0, 2]).findings
    assert (found.name, found.layout) == ("600 smaller members", "interleave:0,1")
    assert found.to_move == 300 * memory.PAGE


def test_tiny_memory_is_no_advice(two):
    found = mp.advise([np.ones(100), np.ones(10)], cpus=[2, 3])
    assert found.ok
    assert [each.name for each in found.findings] == ["2 smaller members"]
    assert mp.advise([], cpus=[2]).findings == ()


def test_read_only_arrays_get_copies(two):
    a = filled(2 * MIB)
    view = a.view()
    view.flags.writeable = False
    assert [mp.advise(each, cpus=[0, 2]).findings[0].verdict for each in (a, view)] == [
        "move", "replicate",
    ]  # fmt: skip


def test_rows_are_divided_along_the_first_axis(two):
    a = filled(2 * MIB)
    layouts = [
        mp.advise(each, cpus=[0, 2]).findings[0].layout
        for each in (a.reshape(64, -1), a.reshape(64, -1).T, a)
    ]
    assert layouts == ["by_axis(0, [0, 1])", "blocks:0,1", "blocks:0,1"]


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


def test_one_node_has_nothing_to_compare(tmp_path, monkeypatch):
    found = machine(tmp_path)
    only = type(found)({0: found.nodes[0]}, (), memory.PAGE, ())
    monkeypatch.setattr(advising, "read_topology", lambda: only)
    told = mp.advise(filled(2 * MIB), cpus=[0])
    assert told.ok
    assert "nothing to compare" in " ".join(str(told).split())
    monkeypatch.setattr(advising, "use_of", lambda *_: None)
    assert "no known node" in " ".join(str(mp.advise(filled(2 * MIB))).split())


def test_regions_of_a_process(two):
    held = []

    def hold():
        held.append(filled(3 * MIB))
        return held[0].ctypes.data

    with processes.child(hold) as child:
        address = child.result
        found = mp.advise(pid=child.pid, cpus=[2])
        names = [each.name for each in found.findings]
        assert f"anonymous {address:#x}" in names
        assert names[-1].endswith(" smaller regions")
        regions = mp.process(child.pid).regions()
        code = regions[np.char.find(regions["permissions"], "x") >= 0]
        assert not {f"{each:#x}" for each in code["address"]} & {n.split()[-1] for n in names}
        assert found.pid == child.pid
        if {each.verdict for each in found.findings} == {"move", "leave"}:
            assert found.commands == (f"movepages localize {child.pid} --node 1 --memory-only",)


def test_memory_of_another_process_needs_its_threads(two):
    with processes.child(lambda: filled(2 * MIB).ctypes.data) as child:
        region = mp.Region(child.result, 2 * MIB, child.pid)
        with pytest.raises(ValueError, match=rf"advise\(pid={child.pid}\)"):
            mp.advise(region)
        found = mp.advise(id, region)
    assert found.result == id(region)
    assert f"advise(pid={child.pid})" in found.notes[0]


def test_small_regions_of_a_process_count_too(two):
    found = of_process(os.getpid(), mp.process().regions())
    held = sum(sum(each.placement.bytes_per_node.values()) for each in found)
    regions = mp.process().regions()
    code = np.char.find(regions["permissions"], "x") >= 0
    assert held <= regions[~code]["bytes"].sum() + 64 * MIB
    assert held >= 0.5 * regions[~code]["bytes"].sum()


def test_constants_of_programs_are_left_out_and_files_are_not(two, tmp_path):
    file, program = tmp_path / "file", tmp_path / "program"
    maps = []
    for path in (file, program):
        path.write_bytes(bytes(2 * MIB))
        with open(path, "rb") as opened:
            maps.append(mmap.mmap(opened.fileno(), 2 * MIB, prot=mmap.PROT_READ))
            if path is program:
                code = mmap.PROT_READ | mmap.PROT_EXEC
                maps.append(mmap.mmap(opened.fileno(), 2 * MIB, prot=code))
    for each in maps:
        assert sum(each[:: memory.PAGE]) == 0
    found = {each.name.split()[0]: each for each in of_process(os.getpid(), mp.process().regions())}
    assert found["file"].read_only
    assert "program" not in found
    advice = mp.advise(pid=os.getpid(), cpus=[0, 2])
    assert {each.verdict for each in advice.findings} <= {"leave", "move", "bind"}
    for each in maps:
        each.close()


def test_balancing_moves_private_memory_without_a_policy(two):
    plain = memory.anonymous(2 * MIB)
    memory.touch(plain)
    for mode, balanced in ((mp.PolicyMode.DEFAULT, True), (mp.PolicyMode.LOCAL, False)):
        with thread_has(mode):
            (found,) = told_of(plain)
        assert found.balanced == balanced
    bound = filled(2 * MIB)
    mp.bind(bound, nodes.allowed()[0])
    (found,) = told_of(bound)
    assert not found.balanced


def test_what_is_told(two):
    found = mp.advise({"big array": filled(2 * MIB), "b": filled(2 * MIB)}, cpus=[2, 3])
    text = str(found)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "used by 2 threads on node 1" in text
    assert "move it to node 1" in text
    assert "placement, not access" in text
    assert "['big array']" in text
    assert "node 1" in found._repr_html_()
    assert "2 of 2 to change" in repr(found)
    data = found.as_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    frame = found.to_pandas()
    assert list(frame["layout"]) == ["1", "1"]
    assert list(frame["node0"]) == [2 * MIB] * 2


def test_html_shows_names_as_they_are(two):
    found = mp.advise({"<script>": filled(2 * MIB), "b": filled(2 * MIB)}, cpus=[2])
    assert "<script>" not in found._repr_html_()
    assert "&lt;script&gt;" in found._repr_html_()


def test_advice_cannot_be_copied(two):
    found = mp.advise(filled(2 * MIB), cpus=[2])
    with pytest.raises(TypeError, match="cannot be copied"):
        copy.deepcopy(found)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "why"),
    [
        ((), {}, TypeError, "either an object with memory or pid="),
        ((np.ones(9),), {"pid": 1}, TypeError, "either an object"),
        ((3,), {}, TypeError, "int"),
        ((np.ones(9),), {"access": "some"}, ValueError, "access: expected 'parts' or 'all'"),
        ((np.ones(9),), {"cpus": ["x"]}, TypeError, "cpus: expected the numbers of CPUs"),
        ((np.ones(9),), {"cpus": []}, ValueError, "cpus: "),
        ((np.ones(9),), {"cpus": [70000]}, ValueError, "70000 is not a CPU of any node"),
        ((), {"pid": -1}, ValueError, "pid: "),
        ((), {"pid": "x"}, TypeError, "pid: "),
        ((), {"pid": 4194305}, mp.MovePagesLookupError, "no process 4194305"),
    ],
)
def test_wrong_arguments_are_refused(arguments, options, error, why):
    with pytest.raises(error, match=why):
        mp.advise(*arguments, **options)


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


def test_views_of_the_same_memory_count_once(two):
    a = filled(4 * MIB)
    found = mp.advise([a, a[::2], a[MIB:], a.reshape(1024, -1).T], cpus=[2])
    assert [each.name for each in found.findings] == ["[0]"]
    apart = filled(4 * MIB)
    halves = mp.advise([apart[: 2 * MIB], apart[2 * MIB :]], cpus=[2])
    assert [each.to_move for each in halves.findings] == [2 * MIB, 2 * MIB]


def test_small_views_of_the_same_memory_count_once(two):
    a, other = filled(4 * MIB), filled(memory.PAGE)
    rows = [*a.reshape(1024, -1)]
    found = mp.advise([a, *rows, other, other[:9]], cpus=[2])
    assert [each.name for each in found.findings] == ["[0]", "2 smaller members"]
    assert mp.advise([a, *rows], cpus=[2]).findings[0].to_move == 4 * MIB
    assert [each.name for each in mp.advise(rows, cpus=[2]).findings] == ["1,024 smaller members"]


def test_sets_of_cpus_are_in_ascending_order(two):
    a = filled(4 * MIB)
    orders = [mp.advise(a, cpus=each).findings[0].layout for each in ([2, 0], {2, 0}, [2, 0, 0])]
    assert orders == ["blocks:1,0", "blocks:0,1", "blocks:1,0,0"]


def test_pages_mapped_by_a_child_are_told(two):
    memory_map = mmap.mmap(-1, 2 * MIB)
    a = np.frombuffer(memory_map, np.uint8)
    a[:: memory.PAGE] = 1
    assert told_of(a)[0].mapmax == 1
    with processes.child(touch, a) as child:
        assert child.result == 1
        assert told_of(a)[0].mapmax == 2


def touch(a):
    return int(a[:: memory.PAGE].min())


def test_mappings_are_read_only_where_something_may_move(two, monkeypatch):
    monkeypatch.setattr(mappings_module, "regions_of", lambda *_: 1 / 0)
    assert mp.advise(filled(4 * MIB), cpus=[0]).ok
    with pytest.raises(ZeroDivisionError):
        mp.advise(filled(4 * MIB), cpus=[2])


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
