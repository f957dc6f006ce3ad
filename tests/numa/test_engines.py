"""Every engine gives the answers of move_pages(2), page by page, as far as it gives any."""

import os
import subprocess
import sys
from errno import EBUSY, EFAULT, ENOENT
from pathlib import Path

import numpy as np
import pytest

import movepages as mp
from movepages.units import format_bytes
from support import memory, nodes, processes, sandboxes, witness
from support.kinds import MAKERS, MOVE, MOVE_ALL, CannotMakeError
from support.kinds_base import KERNEL
from support.kinds_judge import Judge
from support.memory import PAGE
from support.sandboxes import engine

HERE = Path(__file__).parent
HIDDEN = mp.PageStatus.ENODATA.value
# get_mempolicy(2) does not tell where these are, because the process may not read them.
UNREADABLE = {"not accessible", "secret"}
# move_pages(2) does not move these on every kernel, and mbind(2) does: hidden pages before Linux
# 6.6, and pages of hugetlbfs by an address inside them.
BETTER = {"not accessible", "hugetlb"} if KERNEL < (6, 12) else set()
# Both engines tell these from memory, not always by the same errno.
DEVICES = {"vvar", "device memory"}
# Before Linux 6.7, mbind(2) does not move these.
WORSE = {"merged by ksm"} if KERNEL < (6, 7) else set()


# Linux 6.13 brought guard regions, and a test that is skipped on every machine of a whole run is an
# error there: only the newest kernels have this kind.
HAS_GUARDS = KERNEL >= (6, 13) and len(nodes.allowed()) > 1
KINDS = [name for name in MAKERS if HAS_GUARDS or name != "guard region"]


@pytest.fixture(params=KINDS)
def kind(request, two_nodes, need_root):
    try:
        with MAKERS[request.param](nodes.allowed()[0]) as made:
            yield made
            assert made.unchanged()
    except CannotMakeError as error:
        pytest.skip(f"needs pages of the kind '{request.param}': {error}")


def statuses(name, kind):
    with engine(name):
        return mp.move_pages(kind.pages)


def alike(kind, *answers):
    """Return whether two answers differ only in the errno of device memory."""
    return (kind.name in DEVICES) & np.isin(answers, (-ENOENT, -EFAULT)).all(axis=0)


def test_each_engine_answers_as_move_pages(kind):
    judge = Judge([kind])
    before = judge.look()
    asked = statuses("move_pages", kind)
    policy, proc = statuses("policy", kind), statuses("proc", kind)
    now = judge.look()
    judge.close()
    # Nothing is faulted in, and nothing moves.
    assert not judge.bystanders(np.arange(0), before, now).any()
    unreadable = (policy == HIDDEN) & (kind.name in UNREADABLE)
    device = alike(kind, policy, asked)
    assert ((policy == asked) | unreadable | device).all(), (kind.name, policy, asked)
    device = alike(kind, proc, asked)
    assert ((proc == asked) | (proc == HIDDEN) | device).all(), (kind.name, proc, asked)
    assert (proc < 0).all()


@pytest.mark.parametrize("flags", [MOVE, MOVE_ALL], ids=["MOVE", "MOVE_ALL"])
def test_moves_by_policy_end_as_those_of_move_pages(kind, flags):
    here, there, *_ = nodes.allowed()
    said = {}
    for name in ("move_pages", "policy"):
        with engine(name):
            said[name] = [mp.move_pages(kind.pages, node, flags=flags) for node in (there, here)]
    for one, other in zip(*said.values(), strict=True):
        better = (kind.name in BETTER) & (other >= 0)
        worse = (kind.name in WORSE) & (flags == MOVE_ALL) & (other == -EBUSY)
        right = (one == other) | better | worse | alike(kind, one, other)
        assert right.all(), (kind.name, one, other)


def test_proc_tells_the_nodes_of_mappings_on_one_node(two_nodes):
    here, there, *_ = two_nodes
    whole, mixed = (memory.anonymous(64 * PAGE, node=here) for _ in range(2))
    mp.move(mixed[: 8 * PAGE], there).raise_for_status()
    with engine("proc"):
        p, q = mp.where(whole), mp.where(mixed)
    assert (p.source, p.bytes_per_node, p.hidden_bytes) == ("proc", {here: whole.nbytes}, 0)
    assert (q.bytes_per_node, q.hidden_bytes, q.absent_bytes) == ({}, mixed.nbytes, 0)
    assert f"not known: {format_bytes(64 * PAGE)}" in str(q)


def test_proc_is_never_wrong_while_pages_come_and_go(two_nodes, campaign):
    """What it does not know is told as unknown, never guessed."""
    calls, seed = campaign
    random, known, pages = np.random.default_rng(seed), 0, 0
    shared = memory.anonymous(64 * PAGE, node=two_nodes[0], shared=True)
    arrays = [shared, *(memory.anonymous(n * PAGE, node=two_nodes[0]) for n in (1, 8, 64, 200))]
    for number in range(max(calls // 10, 1)):
        a = arrays[number % len(arrays)]
        first, last = np.sort(random.choice(len(a) // PAGE + 1, 2, replace=False)) * PAGE
        change, piece = random.random(), a[first:last]
        if change < 0.5:
            mp.move(a if change < 0.3 else piece, int(random.choice(two_nodes)))
        elif change < 0.6 and a is not shared:
            memory.discard(piece)
        elif change < 0.7:
            memory.touch(a)
        here = memory.pages_of(piece)
        with engine("proc"):
            said = mp.where(piece).status.copy()
        # Kernels differ in the errno of a page that is absent.
        said[said == -EFAULT] = -ENOENT
        there = witness.present(here)
        truth = np.full(len(here), -ENOENT, np.int32)
        truth[there] = witness.nodes_of(here[there])
        told = said != HIDDEN
        assert np.array_equal(said[told], truth[told]), (number, said, truth)
        known, pages = known + int(told.sum()), pages + len(said)
    print(f"known: {known} of {pages} pages")
    assert 0 < known < pages


def looked_at_and_moved(sandbox, target):
    a = memory.anonymous(64 * PAGE, node=0)
    sandboxes.enter(sandbox)
    placed, planned = mp.where(a), mp.plan(a, target)
    try:
        moved = mp.move(a, target).moved
    except mp.MovePagesError as error:
        moved = error
    try:
        mp.where(mp.Region(a.ctypes.data, a.nbytes, pid=os.getppid()))
    except mp.MovePagesError as error:
        return placed, planned.problems, moved, mp.where(a).bytes_per_node, str(error)


def test_in_a_container_with_sys_nice(two_nodes):
    there = two_nodes[1]
    found = processes.run_as(None, looked_at_and_moved, "docker with SYS_NICE", there)
    placed, problems, moved, now, refusal = found
    assert (placed.source, placed.hidden_bytes, problems, moved) == ("policy", 0, (), 64)
    assert now == {there: 64 * PAGE}
    assert "without which the pages of process" in refusal


@pytest.mark.parametrize("sandbox", ["docker", "gvisor"])
def test_in_a_container_as_it_comes(two_nodes, sandbox):
    found = processes.run_as(None, looked_at_and_moved, sandbox, two_nodes[1])
    placed, problems, moved, now, refusal = found
    assert (placed.source, placed.bytes_per_node) == ("proc", {0: 64 * PAGE})
    assert "--cap-add SYS_NICE" in problems[0]
    assert isinstance(moved, PermissionError)
    assert "--cap-add SYS_NICE" in str(moved)
    assert now == {0: 64 * PAGE}
    assert "without which the pages of process" in refusal


def test_the_campaign_in_a_container_with_sys_nice(two_nodes, need_root, campaign):
    """Run the campaign and the moves of each kind where the kernel refuses move_pages(2)."""
    calls, seed = campaign
    tests = ("test_campaign.py::test_no_false_report", "test_page_kinds.py")
    chosen = ["-k", "no_false_report or move_pages_reports_each"]
    options = [f"--campaign-calls={max(calls // 20, 1)}", f"--campaign-seed={seed}", "-s"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *chosen]
        + [str(HERE / test) for test in tests],
        preexec_fn=lambda: sandboxes.enter("docker with SYS_NICE"),
        capture_output=True,
        text=True,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:]
