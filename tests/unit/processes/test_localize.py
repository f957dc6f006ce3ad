"""Threads and memory brought together: on this machine, and shares on fake ones."""

import errno
import json
import os
import re
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import movepages as mp
import movepages.processes.tree
import movepages.units
import sysfs_fixtures as fake
from cli_fixtures import json_of, run
from movepages.cli import main
from movepages.layouts.near import Near
from movepages.processes import affinity
from movepages.processes.affinity import change_threads
from movepages.processes.locality import locality, memory_near
from movepages.system.devices import Device
from movepages.system.topology_reader import topology
from support import memory, processes, seccomp

pytestmark = pytest.mark.host

NODE = mp.topology().cpu_nodes[0]
CPUS = sorted(os.sched_getaffinity(0))
NOT_A_NODE = max(mp.topology().nodes) + 1
GONE = 4194305
MIB = 1 << 20
SYS_SCHED_SETAFFINITY = {"x86_64": 203, "ppc64le": 222, "s390x": 239}.get(os.uname().machine, 122)

needs_two_cpus = pytest.mark.skipif(len(CPUS) < 2, reason="needs two CPUs")


def allowed(pid):
    """Return the CPUs of each thread, as /proc says."""
    found = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/status") as status:
            listed = re.search(r"^Cpus_allowed_list:\s*(.*)$", status.read(), re.MULTILINE)[1]
        found[int(tid)] = {*mp.units.parse_ids(listed)} & {*CPUS}
    return found


def pinned_threads():
    """Start three threads: on the first CPU, on the last CPU, and on all."""
    tids = []
    for cpus in ([CPUS[0]], [CPUS[-1]], CPUS):
        known = threading.Event()

        def stay(cpus=cpus, known=known):
            os.sched_setaffinity(0, cpus)
            tids.append(threading.get_native_id())
            known.set()
            threading.Event().wait()

        threading.Thread(target=stay, daemon=True).start()
        known.wait()
    return tids


@needs_two_cpus
def test_threads_keep_their_own_cpus_within_the_new_ones():
    with processes.child(pinned_threads) as child:
        first, last, whole = child.result
        changed = {each.tid: each for each in change_threads(lambda: [child.pid], CPUS[:1])}
        assert changed.keys() == allowed(child.pid).keys()
        assert allowed(child.pid) == {tid: {CPUS[0]} for tid in changed}
        assert (changed[first].before, changed[first].after) == ((CPUS[0],), (CPUS[0],))
        assert (changed[last].before, changed[last].after) == ((CPUS[-1],), (CPUS[0],))
        assert (changed[whole].before, changed[whole].after) == ((*CPUS,), (CPUS[0],))
        assert not any(each.problem for each in changed.values())
        # Back to all: the threads stay where they are, within these.
        assert all(each.after == (CPUS[0],) for each in change_threads(lambda: [child.pid], CPUS))


@needs_two_cpus
def test_a_dry_run_tells_the_same_and_changes_nothing():
    with processes.child(pinned_threads) as child:
        before = allowed(child.pid)
        planned = change_threads(lambda: [child.pid], CPUS[:1], dry_run=True)
        assert allowed(child.pid) == before
        assert change_threads(lambda: [child.pid], CPUS[:1]) == planned


def start_and_end_threads():
    def endless():
        while True:
            short = threading.Thread(target=time.sleep, args=(0.002,), daemon=True)
            short.start()

    for _ in range(3):
        threading.Thread(target=endless, daemon=True).start()


@needs_two_cpus
def test_threads_that_start_meanwhile():
    with processes.child(start_and_end_threads) as child:
        for cpus in (CPUS[:1], CPUS[1:2]) * 3:
            change_threads(lambda: [child.pid], cpus)
            for tid in os.listdir(f"/proc/{child.pid}/task"):
                try:
                    assert os.sched_getaffinity(int(tid)) == {*cpus}
                except ProcessLookupError:
                    continue


@needs_two_cpus
def test_a_device_names_the_cpus_too():
    card = Device("eth0", "network", NODE)
    with processes.child(pinned_threads) as child:
        found = mp.process(child.pid).localize(Near(card, NODE, NODE, tuple(CPUS[1:])))
        assert (found.node, found.cpus) == (NODE, tuple(CPUS[1:]))
        assert all({*each} <= {*CPUS[1:]} for each in allowed(child.pid).values())


def two_generations():
    command = [sys.executable, "-c", "import os; os.fork(); input()"]
    two_generations.kept = subprocess.Popen(command, stdin=subprocess.PIPE)
    deadline = time.monotonic() + processes.PATIENCE_S
    while len(mp.processes.tree.with_descendants([os.getpid()])) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_children_and_their_children():
    with processes.child(two_generations) as child:
        alone = mp.process(child.pid).localize(NODE)
        found = mp.process(child.pid).localize(NODE, children=True)
        assert alone.pids == (child.pid,)
        assert len(found.pids) == 3 == len({each.pid for each in found.threads})
        assert found.results.keys() == {*found.pids}
        assert found.before.nbytes > alone.before.nbytes


def holds():
    holds.kept = memory.anonymous(8 * MIB, mp.topology().allowed_nodes[0])


def test_result_adds_up():
    with processes.child(holds) as child:
        planned = mp.process(child.pid).localize(NODE, dry_run=True)
        done = mp.process(child.pid).localize(NODE)
        assert allowed(child.pid).keys() == {each.tid for each in done.threads}
    home = {*mp.topology().nodes[NODE].cpus}
    assert all(set(each.after) <= home for each in done.threads)
    assert done.node == NODE
    assert {*done.cpus} == home
    assert done.after.bytes_per_node[NODE] >= 8 * MIB
    assert done.before.threads == len(done.threads)
    assert (planned.dry_run, planned.results, planned.moved) == (True, {}, 0)
    assert planned.after.nbytes == planned.before.nbytes
    assert done.problems == planned.problems == ()
    assert json.loads(json.dumps(done.as_dict()))["moved"] == done.moved
    assert f"on node {NODE}" in repr(done)
    for part in (
        "before: node",
        "after: node",
        "threads are on",
        "only the process itself can set it",
    ):
        assert part in str(done)
    assert "would move" in str(planned)


def test_parts_of_it():
    with processes.child(holds) as child:
        cpus = mp.process(child.pid).localize(NODE, memory=False)
        memory_alone = mp.process(child.pid).localize(NODE, cpus=False)
    assert cpus.results == {}
    assert memory_alone.cpus == ()
    assert memory_alone.changed == 0
    assert memory_alone.results[child.pid].already_there >= 8 * MIB // memory.PAGE


def test_policies_are_told():
    # A child by fork would have what earlier tests have bound.
    program = f"""
import movepages as mp
kept = mp.empty({MIB}, "u1")
mp.bind(kept, {NODE}, mode="interleave")
kept[:] = 1
input("ready")
"""
    command = [sys.executable, "-P", "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.read(5) == b"ready"
        found = mp.process(child.pid).localize(NODE, dry_run=True)
        child.communicate(b"\n")
    # Beside that of conftest.py.
    assert found.policies.keys() == {"local", f"interleave:{NODE}"}
    assert found.policies[f"interleave:{NODE}"] == MIB
    assert f"interleave:{NODE} 1 MiB" in str(found)


def test_nothing_is_done_where_something_is_wrong():
    with pytest.raises(ProcessLookupError, match=f"there is no process {GONE}"):
        mp.process(GONE).localize(NODE)
    for wrong in (True, "1", None, 1.0):
        with pytest.raises(TypeError, match="node: expected the number of a node"):
            mp.process().localize(wrong)
    with pytest.raises(ValueError, match="node: expected the number of a node, got -1"):
        mp.process().localize(-1)
    for parts in ({}, {"memory": False}, {"cpus": False}, {"dry_run": True}):
        with pytest.raises(mp.MovePagesValueError, match=f"node {NOT_A_NODE} is not a node of"):
            mp.process().localize(NOT_A_NODE, **parts)


def test_of_another_user(need_root):
    with (
        processes.child() as theirs,
        processes.child(uid=processes.NOBODY) as nobody,
        pytest.raises(PermissionError, match="may not inspect process"),
    ):
        nobody.call(localize, theirs.pid)


def localize(pid, **parts):
    return str(mp.process(pid).localize(NODE, **parts))


def test_where_a_sandbox_forbids_to_set_the_cpus():
    with processes.child() as theirs, processes.child() as shut_in:
        shut_in.call(seccomp.forbid, errno.EPERM, SYS_SCHED_SETAFFINITY)
        with pytest.raises(PermissionError, match=r"the CPUs of process .* stay as they are: only"):
            shut_in.call(localize, theirs.pid)
        assert "0 of 1 threads" in shut_in.call(localize_memory, theirs.pid)


def localize_memory(pid):
    return localize(pid, cpus=False)


@needs_two_cpus
def test_threads_that_may_not_be_changed_are_told(monkeypatch):
    """As in a process whose other threads have another user."""
    real = os.sched_setaffinity
    with processes.child(pinned_threads) as child:
        others = {*child.result}

        def refuse(tid, cpus):
            if tid in others:
                raise PermissionError(errno.EPERM, "Operation not permitted")
            real(tid, cpus)

        monkeypatch.setattr(affinity.os, "sched_setaffinity", refuse)
        changed = {each.tid: each for each in change_threads(lambda: [child.pid], CPUS[:1])}
    assert {tid for tid, each in changed.items() if each.problem} == {*child.result[1:]}
    assert changed[child.pid].problem == ""


def test_shares_on_two_sockets(tmp_path):
    machine = topology(fake.two_nodes(tmp_path))
    all_on_0 = {0: 1000}
    assert locality(machine, all_on_0, [[0, 1, 2, 3]]).near == 1
    assert locality(machine, all_on_0, [[4]]).near == 0
    assert locality(machine, all_on_0, [range(8)]).near == 0.5
    assert locality(machine, all_on_0, [[0], [4], [0, 4], [0, 1, 2, 4]]).near == (1.5 + 0.75) / 4
    assert locality(machine, {0: 250, 1: 750}, [[5], [0]]).near == 0.5
    assert locality(machine, {0: 0, 1: 750}, [[5]]).bytes_per_node == {1: 750}
    assert locality(machine, {}, [[0]]).near is None
    assert locality(machine, all_on_0, []).near is None


def test_nodes_without_cpus_or_without_memory(tmp_path):
    machine = topology(fake.power(tmp_path))
    assert [machine.cpu_nodes_near(node) for node in machine.nodes] == [(0,), (1,), (16,), (16,)]
    near = {node: memory_near(machine, node) for node in machine.cpu_nodes}
    assert near == {0: {0}, 1: {0}, 16: {16, 17}}
    assert locality(machine, {17: 100}, [[48]]).near == 1
    assert locality(machine, {0: 100}, [[16], [0]]).near == 1


def test_the_command(capsys):
    with processes.child(holds) as child:
        found = json_of(capsys, "localize", str(child.pid), f"--node={NODE}", "--whole", "--all")
        assert found["pid"] == child.pid
        assert found["after"]["bytes_per_node"][str(NODE)] >= 8 * MIB
        json_of(capsys, "localize", str(child.pid), f"--node={NODE}", "--dry-run", "--children")
        assert main(["localize", str(child.pid), f"--node={NODE}", "--cpus-only"]) == 0
        out = capsys.readouterr().out
        assert re.search(rf"^ *{child.pid} .* +{mp.units.format_ids(found['cpus'])}$", out, re.M)
        assert "0 pages moved" in out
        assert main(["localize", str(child.pid), f"--node={NODE}", "--dry-run"]) == 0
        assert "Nothing was changed." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([GONE, "--node", NODE], 1, f"there is no process {GONE}"),
        (
            [os.getpid(), "--node", NOT_A_NODE],
            2,
            f"node {NOT_A_NODE} is not a node of this machine",
        ),
        ([1], 2, "--node"),
        (["x", "--node", NODE], 2, "expected a process ID"),
        ([1, "--node", NODE, "--cpus-only", "--memory-only"], 2, "not allowed with"),
    ],
)
def test_errors_of_the_command(arguments, status, said):
    done = run("localize", *map(str, arguments))
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_masks_of_numpy_ints():
    with processes.child() as child:
        assert mp.process(np.int64(child.pid)).localize(np.int32(NODE)).node == NODE
