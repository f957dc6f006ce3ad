"""Explanations of failed calls, as far as they can be established: each cause is a real one."""

import errno
import os

import numpy as np
import pytest

import movepages as mp
import sysfs_fixtures as fake
from movepages.query.explain import Call, explain
from movepages.system.topology_reader import topology
from support import memory, processes, sandboxes, system
from support.seccomp import forbid


@pytest.fixture
def pages():
    """Return addresses; a refused call looks at none of them."""
    return np.zeros(3, np.uintp)


def refusal(pages, forbidden=(), answer=errno.EPERM, **kwargs):
    """Return the error of a query, in a child that may enter a sandbox first."""
    if forbidden:
        os.environ["MOVEPAGES_ENGINE"] = "move_pages"
        forbid(answer, *forbidden)
    with pytest.raises(mp.MovePagesError) as caught:
        mp.move_pages(pages, **kwargs)
    return caught.value


def test_sandbox_is_distinguished_from_lack_of_permission(pages):
    error = processes.run_as(None, refusal, pages, (system.SYS_MOVE_PAGES,))
    assert isinstance(error, PermissionError)
    assert "a sandbox forbids move_pages(2)" in str(error)
    assert error.result.not_attempted == 3


def test_sandbox_that_answers_enosys(pages):
    answer = (system.SYS_MOVE_PAGES,), errno.ENOSYS
    error = processes.run_as(None, refusal, pages, *answer)
    assert isinstance(error, NotImplementedError)
    assert "this kernel has no move_pages(2)" in str(error)


def moved_without_get_mempolicy(node):
    forbid(errno.EPERM, system.SYS_GET_MEMPOLICY)
    a = memory.anonymous(4 * memory.PAGE)
    memory.touch(a)
    mp.move(a, node).raise_for_status()
    with pytest.raises(mp.MovePagesError) as caught:
        mp.move(a, 1023)
    return caught.value


def refused_targets(node):
    sandboxes.enter("docker")
    a = memory.anonymous(4 * memory.PAGE)
    memory.touch(a)
    # A process that begins in a sandbox never has another engine.
    mp.where(a)
    for call in (mp.move, mp.bind, lambda _, node: mp.empty(9, node=node)):
        with pytest.raises(mp.MovePagesError) as caught:
            call(a, node)
        yield str(caught.value)
    yield from mp.plan(a, node).problems


def test_a_node_that_does_not_exist_is_named_in_a_sandbox_too():
    told = processes.run_as(None, lambda: list(refused_targets(1023)))
    assert len(told) == 4
    assert all("node 1023 is not a node of this machine" in each for each in told), told


def test_hidden_memory_policy_leaves_the_judgement_to_the_kernel(nodes):
    error = processes.run_as(None, moved_without_get_mempolicy, nodes[0])
    assert isinstance(error, ValueError)
    assert error.errno == errno.ENODEV
    assert f"nodes with memory are {', '.join(map(str, nodes))}" in str(error)


def test_another_users_process(pages, need_root):
    error = processes.run_as(processes.NOBODY, lambda: refusal(pages, pid=1))
    assert isinstance(error, PermissionError)
    assert "may not inspect process 1;" in str(error)


def test_move_all_without_the_capability(pages, need_root):
    error = processes.run_as(processes.NOBODY, lambda: refusal(pages, flags=mp.MPOL_MF_MOVE_ALL))
    assert isinstance(error, PermissionError)
    assert "CAP_SYS_NICE" in str(error)


def test_move_all_as_root_of_a_user_namespace(pages, need_root):
    """The process has the capability, but not the one that the kernel asks for."""

    def as_root_of_its_own_world():
        os.setresuid(processes.NOBODY, processes.NOBODY, processes.NOBODY)
        clone_newuser = 0x10000000
        try:
            system.succeed(system.libc.unshare(clone_newuser))
        except OSError as reason:
            return reason
        return refusal(pages, flags=mp.MPOL_MF_MOVE_ALL)

    error = processes.run_as(None, as_root_of_its_own_world)
    if not isinstance(error, mp.MovePagesError):
        pytest.skip(f"needs user namespaces: {error}")
    assert "in the initial user namespace" in str(error)


@pytest.mark.parametrize(
    ("code", "pid", "part"),
    [
        (errno.ENOMEM, 0, "a target node had too little memory"),
        (errno.EACCES, 0, "the cpuset of this process"),
        (errno.EACCES, 5, "the cpuset of process 5"),
        (errno.ENODEV, 5, "has no memory or does not exist"),
        (errno.EFAULT, 0, "could not read or write one of the arrays"),
        (errno.EINTR, 5, "process 5 was being looked up; call again"),
        (errno.EINVAL, 5, "process 5 has no memory of its own"),
        (errno.ESRCH, 5, "there is no process 5"),
        (errno.EIO, 0, "an errno that has no explanation here"),
    ],
)
def test_every_errno_is_explained(code, pid, part):
    reported, sentence = explain(code, Call(pid, mp.MPOL_MF_MOVE))
    # A process without memory no longer exists.
    assert reported == (errno.ESRCH if code == errno.EINVAL else code)
    assert part in sentence


@pytest.mark.parametrize(
    ("node", "part"),
    [
        (2, "node 2 is offline: this machine may have it"),
        (1, "node 1 has no memory"),
        (3, "node 3 is not a node of this machine"),
        (-1, "node -1 is not a node of this machine"),
    ],
)
def test_nodes_without_memory_are_distinguished(tmp_path, monkeypatch, node, part):
    now = topology(fake.power(tmp_path))
    monkeypatch.setattr("movepages.query.explain.machine", lambda: now)
    code, sentence = explain(errno.ENODEV, Call(0, mp.MPOL_MF_MOVE, refused_node=node))
    assert code == errno.ENODEV
    assert part in sentence
    assert "expected one of " in sentence


def test_how_much_of_a_full_node_is_free(tmp_path, monkeypatch):
    now = topology(fake.power(tmp_path))
    monkeypatch.setattr("movepages.system.target_nodes.machine", lambda: now)
    _, sentence = explain(errno.ENOMEM, Call(0, mp.MPOL_MF_MOVE, full_nodes=(0, 17)))
    assert "node 0 has 512 MiB of 1 GiB free" in sentence
    assert "node 17 has 1 MiB of 96 MiB free" in sentence
