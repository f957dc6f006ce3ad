"""advise(): arguments, and which members are looked at; on any machine."""

import numpy as np
import pytest

import movepages as mp
from advice_fixtures import MIB, filled
from support import memory

pytestmark = pytest.mark.skipif(0 not in mp.topology().allowed_nodes, reason="needs node 0")


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


def test_the_objects_of_an_array_are_looked_at_as_one_memory(two):
    texts = np.array([f"text number {number}" for number in range(1 << 15)], object)
    # The interpreter uses memory again that earlier tests have moved.
    mp.move({"texts": texts}, 0)
    found = mp.advise({"texts": texts}, cpus=[2, 3])
    members = mp.where({"texts": texts})
    assert [each.name for each in found.findings] == ["texts.objects", "texts.pointers"]
    assert found.findings[0].nbytes == members["texts.objects"].nbytes > MIB
    assert (found.findings[0].layout, found.findings[0].verdict) == ("1", "move")
    assert mp.advise({"texts": texts}, cpus=[0, 2]).findings[0].layout == "blocks:0,1"


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
