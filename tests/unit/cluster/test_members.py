"""Reports on the members of a parallel program, on machines with several nodes and on failures."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

import movepages as mp
from movepages.cluster import own_arrays
from movepages.cluster.members import Member, Survey
from movepages.cluster.own_arrays import arrays_in, look, move_near, own_nodes
from support import memory
from sysfs_fixtures import GIB

PAGE = memory.PAGE
NODE = mp.topology().allowed_nodes[0]


@pytest.fixture
def machine():
    """Return a machine: nodes 0 and 2 have CPUs and memory, 1 has only CPUs, 5 only memory."""
    here = mp.topology()
    node = next(iter(here.nodes.values()))
    made = {
        0: ((0, 1), GIB, {0: 10, 1: 30, 2: 20, 5: 40}),
        1: ((2,), 0, {0: 30, 1: 10, 2: 15, 5: 40}),
        2: ((3, 4), GIB, {0: 20, 1: 15, 2: 10, 5: 40}),
        5: ((), GIB, {0: 40, 1: 40, 2: 40, 5: 10}),
    }
    nodes = {
        i: replace(
            node, id=i, cpus=cpus, memory_total=size, memory_free=size, has_memory=size > 0,
            allowed=size > 0, distances=type(node.distances)(distances),
        )
        for i, (cpus, size, distances) in made.items()
    }  # fmt: skip
    return replace(here, nodes=type(here.nodes)(nodes))


@pytest.mark.parametrize(
    ("cpus", "nodes"),
    [([0], (0,)), ([0, 1], (0,)), ([2], (2,)), ([2, 3, 4], (2,)), ([1, 3], (0, 2)), ([], ())],
)
def test_a_member_has_the_nodes_nearest_to_its_cpus(machine, cpus, nodes):
    assert own_nodes(machine, cpus) == nodes


def test_a_cpu_that_is_not_there(machine):
    with pytest.raises(ValueError, match="99 is not a CPU of any node"):
        own_nodes(machine, [99])


def test_memory_on_other_nodes_is_misplaced():
    member = Member(name="a", nodes=(0, 2), bytes_per_node={0: 5, 1: 7, 2: 1, 5: 11})
    assert member.misplaced_bytes == 18
    assert Survey([member, member]).misplaced_bytes == 36
    assert not Survey([member]).ok
    near = Member(name="b", nodes=(0,), bytes_per_node={0: 5})
    assert Survey([near]).ok
    assert not Survey([near, Member(name="c", problem="no answer")]).ok


def test_a_survey_is_a_table():
    survey = Survey(
        [
            Member(name="x", host="h1", pid=7, nodes=(0,), bytes_per_node={0: 4096, 1: 2 << 20}),
            Member(name="<y>", host="h2", problem="no answer: it ended meanwhile"),
        ]
    )
    first, second, third = str(survey).splitlines()
    assert first.split() == [
        "member",
        "host",
        "pid",
        "its",
        "nodes",
        "memory",
        "absent",
        "elsewhere",
    ]
    assert second.split() == [
        "x",
        "h1",
        "7",
        "0",
        "0:",
        "4",
        "KiB,",
        "1:",
        "2",
        "MiB",
        "-",
        "2",
        "MiB",
    ]
    assert third.endswith("no answer: it ended meanwhile")
    html = survey._repr_html_()
    assert "&lt;y&gt;" in html
    assert "<y>" not in html
    assert pickle.loads(pickle.dumps(survey)) == survey


def test_look_adds_up_the_bytes_of_arrays():
    a, b = memory.anonymous(10 * PAGE, NODE), memory.anonymous(10 * PAGE)
    b[: 3 * PAGE] = 1
    found = look("me", [a, b])
    assert sum(found.bytes_per_node.values()) == 13 * PAGE
    assert found.absent_bytes == 7 * PAGE
    assert found.problem == ""


def test_member_near_several_nodes_is_reported_as_not_pinned(monkeypatch, machine):
    monkeypatch.setattr(own_arrays, "read_topology", lambda: machine)
    monkeypatch.setattr(own_arrays.os, "sched_getaffinity", lambda _pid: {1, 3})
    found = look("me", [])
    assert (found.nodes, found.pinned, found.problem) == ((0, 2), False, "")
    assert str(Survey([found])).endswith("  not pinned: its CPUs are near nodes 0, 2")
    monkeypatch.setattr(own_arrays.os, "sched_getaffinity", lambda _pid: {3, 4})
    assert look("me", []).pinned


def test_forbidden_call_is_a_problem_and_no_exception(monkeypatch):
    def refuse(*_args, **_how):
        raise mp.MovePagesPermissionError(1, "a sandbox forbids move_pages(2)")

    for name in ("where", "move"):
        monkeypatch.setattr(own_arrays, name, refuse)
    assert "sandbox" in look("me", [np.ones(3)]).problem
    moved = move_near("me", [np.ones(3), np.ones(3)], mp.MPOL_MF_MOVE)
    # Once for the moves, and once for the looks afterwards.
    assert moved.problem.count("2 times: [Errno 1] a sandbox forbids") == 2


def test_failing_array_hides_no_other(monkeypatch):
    looks = own_arrays.where

    def refuse_one(a):
        if a is broken:
            raise RuntimeError("lost")
        return looks(a)

    broken, sound = np.ones(PAGE), np.ones(PAGE)
    monkeypatch.setattr(own_arrays, "where", refuse_one)
    found = look("me", [broken, sound])
    assert sum(found.bytes_per_node.values()) == sound.nbytes
    assert found.problem == "RuntimeError: lost"


def test_a_machine_that_cannot_be_read_is_a_problem(monkeypatch):
    def hidden():
        raise mp.TopologyError(2, "/sys is not mounted")

    monkeypatch.setattr(own_arrays, "read_topology", hidden)
    found = look("me", [np.ones(PAGE)])
    assert "/sys is not mounted" in found.problem
    assert found.nodes == ()
    assert sum(found.bytes_per_node.values()) == PAGE * 8
    # Where a member's nodes are not known, no memory counts as misplaced.
    assert found.misplaced_bytes == 0
    assert not Survey([found]).ok
    row = str(Survey([found])).splitlines()[1]
    assert row.partition("[Errno")[0].split()[-2:] == ["-", "?"]


def test_member_without_an_answer_has_question_marks():
    row = str(Survey([Member(name="x", problem="no answer: gone")])).splitlines()[1]
    assert row.split() == ["x", "?", "?", "?", "no", "answer:", "gone"]


def test_move_near_leaves_near_pages_and_reports_no_problem_for_absent_ones():
    a = memory.anonymous(10 * PAGE)
    a[: 4 * PAGE] = 1
    found = move_near("me", [a], mp.MPOL_MF_MOVE)
    assert found.misplaced_bytes == 0
    assert found.absent_bytes == 6 * PAGE
    assert found.problem == ""


def test_arrays_are_picked_out():
    kept = np.ones((2, 3))
    assert [each is kept for each in arrays_in([None, [1], kept, np.empty(0)])] == [True]
    endless = [kept]
    endless.append(endless)
    nested = {"a": (kept, {"b": [kept]}), "c": endless, "d": "text"}
    assert [each is kept for each in arrays_in([nested])] == [True] * 3
