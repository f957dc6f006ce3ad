"""move_near() moves the arrays of a parallel program's member to the nodes of its CPUs."""

import os

import pytest

import movepages as mp
from movepages.cluster.own_arrays import look, move_near
from support import memory, processes, witness

PAGE = memory.PAGE


@pytest.fixture
def pinned(two_nodes):
    """Return a node, its CPUs, and another node."""
    machine = mp.topology()
    for node in two_nodes:
        cpus = set(machine.nodes[node].cpus) & os.sched_getaffinity(0)
        if cpus:
            return node, cpus, next(n for n in machine.allowed_nodes if n != node)
    pytest.skip("needs a node with CPUs and memory")


def test_arrays_move_to_the_node_of_a_pinned_process(pinned):
    node, cpus, other = pinned

    def work():
        os.sched_setaffinity(0, cpus)
        near, far = memory.anonymous(40 * PAGE, node), memory.anonymous(60 * PAGE, other)
        before = look("me", [near, far])
        after = move_near("me", [near, far], mp.MPOL_MF_MOVE)
        found = {*witness.nodes_of(memory.pages_of(near)), *witness.nodes_of(memory.pages_of(far))}
        return before, after, found

    before, after, found = processes.run_as(None, work)
    assert before.nodes == after.nodes == (node,)
    assert before.bytes_per_node == {node: 40 * PAGE, other: 60 * PAGE}
    assert (before.misplaced_bytes, after.misplaced_bytes) == (60 * PAGE, 0)
    assert found == {node}
    assert after.problem == ""


def test_shared_pages_stay_and_are_reported(pinned):
    _, cpus, other = pinned
    shared = memory.anonymous(20 * PAGE, other, shared=True)

    def work():
        os.sched_setaffinity(0, cpus)
        assert shared.sum() >= 0
        return move_near("me", [shared], mp.MPOL_MF_MOVE)

    member = processes.run_as(None, work)
    assert member.misplaced_bytes == 20 * PAGE
    assert "MPOL_MF_MOVE_ALL" in member.problem
