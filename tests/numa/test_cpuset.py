"""Nodes that exist but are not allowed, by the cpuset of the caller or of the target."""

import errno

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from support import memory, witness
from support.cpuset import confinement, join
from support.processes import child


@pytest.fixture
def here_and_there(two_nodes, need_root):
    return two_nodes


def confined_to(group, function, *arguments):
    join(group)
    return function(*arguments)


def outcome_of_move(array, node):
    """Run in a confined child: return the error, and where pages were before and after it."""
    memory.touch(array)
    before = witness.nodes_of(memory.pages_of(array))
    with pytest.raises(mp.MovePagesError) as caught:
        mp.move(array, node)
    after = witness.nodes_of(memory.pages_of(array))
    return caught.value, before, after, mp.topology()


def test_error_names_the_nodes_the_caller_may_use(here_and_there):
    here, there = here_and_there
    a = memory.anonymous(16 * memory.PAGE)
    with confinement(here) as group, child(confined_to, group, outcome_of_move, a, there) as one:
        error, before, after, topology = one.result
    assert isinstance(error, PermissionError)
    assert error.errno == errno.EACCES
    assert f"node {there} has memory, but the cpuset of this process allows only {here};" in str(
        error
    )
    assert error.result.not_attempted == 16
    assert (before == here).all()
    assert np.array_equal(before, after)
    assert topology.allowed_nodes == (here,)
    assert topology.nodes[there].has_memory
    assert not topology.nodes[there].allowed
    assert "not allowed" in str(topology)


def refusals(array, nodes, monkeypatch):
    """Run in a confined child: return what the core and the layers above it report per node."""
    memory.touch(array)
    pages = memory.pages_of(array)
    room = np.empty(len(pages), np.int32)
    core = [_core.move_pages(pages, n, room, 0, mp.MPOL_MF_MOVE, None) for n in nodes]
    plans = [mp.plan(array, node).problems for node in nodes]
    monkeypatch.setattr("movepages.query.explain.machine", lambda: None)
    hidden = []
    for node in nodes:
        with pytest.raises(mp.MovePagesError) as caught:
            mp.move_pages(pages, node)
        hidden.append(caught.value)
    return core, plans, hidden, witness.nodes_of(pages)


def test_disallowed_node_is_distinguished_from_one_without_memory(here_and_there, monkeypatch):
    here, there = here_and_there
    nobodys = max(mp.topology().nodes) + 1
    a = memory.anonymous(16 * memory.PAGE)
    nodes = [there, nobodys]
    with (
        confinement(here) as group,
        child(confined_to, group, refusals, a, nodes, monkeypatch) as one,
    ):
        core, plans, hidden, after = one.result
    assert core == [(errno.EACCES, 0), (errno.ENODEV, 0)]
    assert "cpuset" in plans[0][0]
    assert "cpuset" not in plans[1][0]
    assert [error.errno for error in hidden] == [errno.EACCES, errno.ENODEV]
    assert isinstance(hidden[0], PermissionError)
    assert f"the cpuset of this process does not allow node {there};" in str(hidden[0])
    assert (after == here).all()


def test_the_target_process_is_confined(here_and_there):
    here, there = here_and_there
    a = memory.anonymous(16 * memory.PAGE, node=here)
    with confinement(here) as group, child(confined_to, group, memory.touch, a) as one:
        with pytest.raises(PermissionError, match=f"cpuset of process {one.pid} ") as caught:
            mp.move_pages(memory.pages_of(a), there, pid=one.pid)
        found = one.call(witness.nodes_of, memory.pages_of(a))
    assert caught.value.errno == errno.EACCES
    assert (found == here).all()
    assert caught.value.result.not_attempted == 16


def test_pages_moved_before_a_forbidden_node_are_reported(here_and_there):
    here, there = here_and_there
    a = memory.anonymous(16 * memory.PAGE, node=there)
    target = np.where(np.arange(16) < 10, here, there).astype(np.int32)
    with child(memory.touch, a) as one, confinement(here) as group:
        # Confined after it touched its pages; a cpuset of cgroup v2 may or may not move them along.
        one.call(join, group)
        before = one.call(witness.nodes_of, memory.pages_of(a))
        with pytest.raises(PermissionError) as caught:
            mp.move_pages(memory.pages_of(a), target, pid=one.pid)
        found = one.call(witness.nodes_of, memory.pages_of(a))
        one.call(join, group.parent)
    status = caught.value.status
    assert np.array_equal(status[:10], found[:10])
    assert (found[:10] == here).all()
    assert np.array_equal(found[10:], before[10:])
    assert np.array_equal(status >= 0, found == target)
    assert set(status[status < 0].tolist()) <= {mp.PageStatus.NOT_ATTEMPTED}


def failure_on_another(array, node, pid):
    with pytest.raises(mp.MovePagesError) as caught:
        mp.move_pages(memory.pages_of(array), node, pid=pid)
    return caught.value


def test_no_memory_for_a_page_of_another_process(here_and_there):
    """A caller that may not use the node cannot allocate there for another process."""
    here, there = here_and_there
    a = memory.anonymous(16 * memory.PAGE, node=here)
    with (
        child(memory.touch, a) as other,
        confinement(here) as group,
        child(confined_to, group, failure_on_another, a, there, other.pid) as one,
    ):
        error = one.result
        found = other.call(witness.nodes_of, memory.pages_of(a))
    assert isinstance(error, MemoryError)
    assert error.errno == errno.ENOMEM
    assert f"node {there} has " in str(error)
    assert "free, but the cpuset of this process forbids it" in str(error)
    assert (found == here).all()
    assert error.result.failures == {mp.PageStatus.ENOMEM: 16}
