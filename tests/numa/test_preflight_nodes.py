"""The preflight report on several nodes: it names them, and moves no page between them."""

import pytest

import movepages as mp
from support import memory, system, witness
from support.cpuset import confinement, join
from support.processes import NOBODY, child, run_as


def test_report_names_the_nodes_that_pages_can_move_between(two_nodes, nodes):
    found = mp.preflight()
    assert found.ok
    assert found.can_place
    assert found.check("move").status == "ok"
    assert set(found.facts["free_bytes"]) == set(nodes)
    assert found.facts["nodes"]["allowed"] == list(nodes)
    assert found.facts["config_numa"] is True
    assert found.facts["config_migration"] is True
    assert max(map(len, str(found).splitlines())) <= 80


def test_a_node_without_a_cpu(memory_only_node):
    assert memory_only_node in mp.preflight().facts["nodes"]["memory_only"]


def test_no_page_moves_on_any_node(two_nodes, nodes):
    arrays = [memory.anonymous(32 * memory.PAGE, node=node) for node in nodes]
    for _ in range(5):
        mp.preflight()
    for array, node in zip(arrays, nodes, strict=True):
        assert witness.pages_per_node(array) == {node: 32}


@pytest.mark.parametrize("which", [0, 1])
def test_scratch_page_is_tried_on_any_node(two_nodes, which):
    """The task's policy decides where it is; a move to its own node must work from each."""

    def bound():
        mask = system.node_mask(two_nodes[which])
        system.syscall(system.SYS_SET_MEMPOLICY, system.MPOL_BIND, mask, system.MAX_NODES + 1)
        return mp.preflight()

    assert run_as(None, bound).check("move").status == "ok"


def confined_to(group):
    join(group)
    return mp.preflight()


def test_a_cpuset_that_leaves_one_node(two_nodes, need_root):
    here, there = two_nodes
    for node in (there, here):
        with confinement(node) as group, child(confined_to, group) as one:
            found = one.result
        assert found.ok
        check = found.check("move")
        assert check.status == "limited"
        assert f"the cpuset allows only {node}: there is nowhere to move to" in check.detail
        assert "cpuset.mems" in check.remedy
        assert found.facts["nodes"]["allowed"] == [node]
        assert found.facts["cpuset_mems_effective"] == [node]
        assert found.facts["free_bytes"].keys() == {node}


def test_a_cpuset_that_leaves_two(two_nodes, need_root):
    with confinement(*two_nodes) as group, child(confined_to, group) as one:
        assert one.result.check("move").status == "ok"
        assert one.result.facts["cpuset_mems_effective"] == list(two_nodes)


def test_only_root_may_move_shared_pages(two_nodes, need_root):
    assert mp.preflight().can_move_shared
    assert not run_as(NOBODY, mp.preflight).can_move_shared
