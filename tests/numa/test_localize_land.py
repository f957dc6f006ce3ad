"""localize() on several nodes: each thread's CPUs by /proc, each page by the witness."""

import json
import multiprocessing
import os
import threading
from pathlib import Path

import numpy as np
import pytest

import movepages as mp
from movepages.cli import main
from support import memory, nodes, processes, witness
from support.forks import fork
from support.kinds_base import HIDES

PAGES = 64
held = []


def cpus_of(node):
    return nodes.parse_list((nodes.SYSFS / f"node{node}" / "cpulist").read_text())


def threads_of(pid):
    return [int(tid) for tid in os.listdir(f"/proc/{pid}/task")]


def allowed(pid, tid):
    status = (Path(f"/proc/{pid}/task/{tid}/status")).read_text()
    return nodes.parse_list(status.partition("Cpus_allowed_list:")[2].split("\n")[0])


def hold(node, threads=()):
    """Fill memory on a node, and start a thread for each list of CPUs."""
    held.append(memory.anonymous(PAGES * memory.PAGE, node))
    for cpus in threads:
        ready = threading.Event()

        def stay(cpus=cpus, ready=ready):
            os.sched_setaffinity(0, cpus)
            ready.set()
            threading.Event().wait()

        threading.Thread(target=stay, daemon=True).start()
        ready.wait()
    return held[-1].ctypes.data


def asked():
    """Return the nodes of the pages that this process holds, by get_mempolicy(2)."""
    return [set(witness.nodes_of(memory.pages_of(each)).tolist()) for each in held]


def others(problems):
    """Return the problems but that of pages that old kernels hide, which children may inherit."""
    return [each for each in problems if not (HIDES and "its node is unknown" in each)]


def touch_more():
    """Return the nodes of fresh memory that this thread fills."""
    fresh = memory.anonymous(PAGES * memory.PAGE)
    memory.touch(fresh)
    return set(witness.nodes_of(memory.pages_of(fresh)).tolist())


@pytest.fixture
def cpu_nodes(two_nodes):
    found = [node for node in two_nodes if cpus_of(node)]
    if len(found) < 2:
        pytest.skip("needs two nodes with CPUs and memory")
    return found


def test_threads_and_memory_come_together(cpu_nodes, need_root):
    here, there = cpu_nodes
    # The child shares most of its memory with this process.
    how = {"whole": True, "flags": mp.MPOL_MF_MOVE_ALL}
    everywhere = [*cpus_of(here), *cpus_of(there)]
    with processes.child(hold, here, (cpus_of(here), cpus_of(there), everywhere)) as child:
        for node in (there, here):
            planned = mp.process(child.pid).localize(node, dry_run=True, **how)
            cpus = [{*allowed(child.pid, tid)} for tid in threads_of(child.pid)]
            assert planned.changed == sum(not each <= {*cpus_of(node)} for each in cpus)
            done = mp.process(child.pid).localize(node, **how)
            assert {each.tid for each in done.threads} == {*threads_of(child.pid)}
            assert {allowed(child.pid, tid) for tid in threads_of(child.pid)} == {cpus_of(node)}
            assert child.call(asked) == [{node}]
            assert child.call(touch_more) == {node}
            # What was near in every case before cannot come nearer.
            assert done.before.near < done.after.near or done.before.near == done.after.near == 1
            assert planned.expected_bytes >= PAGES * memory.PAGE
            assert others(done.problems) == []


def work(node, pipe):
    hold(node)
    pipe.send(held[-1].ctypes.data)
    pipe.recv()
    pipe.send(asked()[-1])


@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver"])
def test_children_of_each_kind(cpu_nodes, way):
    here, there = cpu_nodes
    context = multiprocessing.get_context(way)
    ours, theirs = context.Pipe()
    child = context.Process(target=work, args=(here, theirs), daemon=True)
    child.start()
    try:
        assert ours.poll(processes.PATIENCE_S)
        address = ours.recv()
        assert witness.numa_maps(child.pid)[address].nodes == {here: PAGES}
        done = mp.process(child.pid).localize(there, children=True)
        assert child.pid in done.pids
        assert witness.numa_maps(child.pid)[address].nodes == {there: PAGES}
        assert allowed(child.pid, child.pid) == cpus_of(there)
        ours.send("look")
        assert ours.recv() == {there}
    finally:
        child.kill()
        child.join()


def hold_with_child(here):
    hold(here)
    reader, writer = os.pipe()
    pid = fork()
    if not pid:
        held.append(memory.anonymous(PAGES * memory.PAGE, here))
        os.write(writer, b"held")
        threading.Event().wait()
    # Mappings that come and go while they are read would be another test.
    os.read(reader, 4)
    return pid


def test_children_below_it(cpu_nodes):
    here, there = cpu_nodes
    with processes.child(hold_with_child, here) as child:
        alone = mp.process(child.pid).localize(there, memory=False)
        assert allowed(child.result, child.result) != cpus_of(there)
        done = mp.process(child.pid).localize(there, children=True, flags=mp.MPOL_MF_MOVE_ALL)
        assert (alone.pids, done.pids) == ((child.pid,), (child.pid, child.result))
        assert allowed(child.result, child.result) == cpus_of(there)
        assert child.call(asked) == [{there}]
        os.kill(child.result, 9)


def test_a_memory_only_node_and_the_cpus_near_it(memory_only_node, two_nodes):
    machine = mp.topology()
    closest = min(machine.distance(each, memory_only_node) for each in machine.cpu_nodes)
    near = {cpu for each in machine.cpu_nodes for cpu in cpus_of(each)
            if machine.distance(each, memory_only_node) == closest}  # fmt: skip
    with processes.child(hold, two_nodes[0]) as child:
        done = mp.process(child.pid).localize(memory_only_node)
        assert set(done.cpus) == near
        assert child.call(asked) == [{memory_only_node}]
        assert {*allowed(child.pid, child.pid)} <= near


def test_read_only_memory_moves_with_whole(cpu_nodes, tmp_path):
    here, there = cpu_nodes
    file = tmp_path / "table"
    file.write_bytes(bytes(PAGES * memory.PAGE))

    def map_it():
        held.append(np.memmap(file, np.uint8, "r"))
        held[-1].sum()
        return mp.move(held[-1], here).ok

    with processes.child(map_it) as child:
        if not child.result or child.call(asked) != [{here}]:
            pytest.skip("needs a file system whose pages move")
        mp.process(child.pid).localize(there)
        assert child.call(asked) == [{here}]
        mp.process(child.pid).localize(there, whole=True)
        assert child.call(asked) == [{there}]


def test_the_command(capsys, cpu_nodes):
    here, there = cpu_nodes
    with processes.child(hold, here) as child:
        options = [str(child.pid), f"--node={there}", "--json"]
        assert main(["localize", *options, "--dry-run"]) in ((0, 1) if HIDES else (0,))
        planned = json.loads(capsys.readouterr().out)
        assert child.call(asked) == [{here}]
        assert planned["after"]["near"] > planned["before"]["near"]
        # Pages that it shares with its parent stay where they are.
        assert main(["localize", *options]) in (0, 1)
        found = json.loads(capsys.readouterr().out)
        assert set(found["failures"]) <= {"EACCES", "EBUSY"} | ({"ENODATA"} if HIDES else set())
        assert others(found["problems"]) == []
        assert child.call(asked) == [{there}]
        assert all(each["after"] == [*cpus_of(there)] for each in found["threads"])
