"""Pages of other processes that move_pages(2) calls absent before Linux 6.6, found by numa_maps.

They are in mappings without access (PROT_NONE), or automatic NUMA balancing watches them. They
stay so while the process is idle.
"""

import ctypes
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from movepages.cli import main
from movepages.units import format_bytes
from support import balancing, memory, system, witness
from support.balancing import HIDES, watched
from support.processes import NOBODY, child, run_as

PAGE = memory.PAGE
COUNT = 64
NBYTES = COUNT * PAGE
PROT_NONE = 0


def forbid(array):
    system.succeed(system.libc.mprotect(array.ctypes.data, array.nbytes, PROT_NONE))


def set_policy(*policy):
    system.syscall(system.SYS_SET_MEMPOLICY, *policy)


@pytest.fixture
def closed_half(two_nodes):
    """Yield a process with a mapping without access, half of it on each of two nodes."""
    held = []

    def hold():
        array = memory.anonymous(NBYTES)
        # By the thread's policy: ranges with policies of their own would be two mappings.
        for half, node in zip(np.split(array, 2), two_nodes, strict=False):
            set_policy(system.MPOL_BIND, system.node_mask(node), system.MAX_NODES + 1)
            memory.touch(half)
        set_policy(system.MPOL_DEFAULT, None, 0)
        forbid(array)
        held.append(array)
        return array.ctypes.data

    # A user without capabilities, so that another such process may look at it.
    with child(hold, uid=NOBODY if os.geteuid() == 0 else None) as other:
        yield other


def closed_on(node, count=COUNT):
    held = []

    def hold():
        held.append(memory.anonymous(count * PAGE, node))
        forbid(held[0])
        return held[0].ctypes.data

    return child(hold)


def mappings(other):
    return witness.numa_maps(other.pid).values()


def by_numa_maps(other, address=None):
    start = other.result if address is None else address
    return {n: pages for n, pages in witness.numa_maps(other.pid)[start].nodes.items() if pages}


def look(other):
    return mp.where(mp.Region(other.result, NBYTES, other.pid))


def move(capsys, other, *arguments, status):
    found = main(["move", str(other.pid), *map(str, arguments), "--json"])
    captured = capsys.readouterr()
    assert found == status, captured
    return json.loads(captured.out), captured.err


def test_hidden_pages_on_one_node_are_found(two_nodes):
    for node in two_nodes[:2]:
        with closed_on(node) as other:
            assert by_numa_maps(other) == {node: COUNT}
            assert look(other).pages_per_node == {node: COUNT}


def test_root_sees_the_node_of_each_page(closed_half, need_root):
    assert look(closed_half).pages_per_node == by_numa_maps(closed_half)


def test_pages_on_unknown_nodes_are_hidden_not_absent(closed_half, need_root, two_nodes):
    """Without CAP_SYS_ADMIN, for a mapping on several nodes."""

    def unprivileged():
        p = look(closed_half)
        plan = mp.plan(mp.Region(closed_half.result, NBYTES, closed_half.pid), two_nodes[0])
        mixed = mp.move(mp.Region(closed_half.result, NBYTES, closed_half.pid), two_nodes[0])
        return p, (plan.hidden, plan.absent, plan.to_move, len(plan.problems)), mixed

    p, plan, r = run_as(NOBODY, unprivileged)
    if HIDES:
        assert (p.hidden_bytes, p.hidden_pages, p.absent_bytes) == (NBYTES, COUNT, 0)
        assert p.absent_reasons == {mp.Absence.HIDDEN: COUNT}
        assert (p.status == mp.PageStatus.ENODATA).all()
        assert f"not known: {format_bytes(NBYTES)}" in str(p)
        assert plan == (COUNT, 0, 0, 1)
        assert dict(r.failures) == {mp.PageStatus.ENODATA: COUNT}
        assert r.absent_reasons == {mp.Absence.HIDDEN: COUNT}
        assert by_numa_maps(closed_half) == dict.fromkeys(two_nodes[:2], COUNT // 2)
    else:
        assert (p.hidden_bytes, p.absent_bytes, p.absent_reasons) == (0, 0, {})
        assert plan == (0, 0, NBYTES // 2, 0)
        assert (r.ok, by_numa_maps(closed_half)) == (True, {two_nodes[0]: COUNT})


def test_zero_pages_without_access_are_absent(two_nodes):
    held = []

    def hold():
        held.append(memory.anonymous(NBYTES))
        # A policy of its own keeps it a separate mapping.
        memory.bind(held[0], two_nodes[0])
        assert not held[0].any()
        forbid(held[0])
        return held[0].ctypes.data

    with child(hold) as other:
        assert by_numa_maps(other) == {}
        p = look(other)
        assert (p.absent_bytes, p.hidden_bytes) == (NBYTES, 0)


def test_hidden_pages_that_stay_are_not_called_moved(capsys, closed_half, two_nodes):
    """The process has other memory beside it, which migrate_pages(2) would move as well."""
    here, there = two_nodes[:2]
    options = ["--to", there, "--region", hex(closed_half.result)]
    plan, said = move(capsys, closed_half, *options, "--dry-run", status=0)
    assert plan["flows"] == [
        {"from": here, "to": there, "nbytes": NBYTES // 2},
        {"from": there, "to": there, "nbytes": NBYTES // 2},
    ]
    found, said = move(capsys, closed_half, *options, status=int(HIDES))
    if HIDES:
        assert by_numa_maps(closed_half) == {here: COUNT // 2, there: COUNT // 2}
        assert (found["moved"], found["failures"]) == (0, {"ENODATA": COUNT // 2})
        assert found["already_there"] == COUNT // 2
        assert not found["ok"]
        assert "--whole moves them" in said
    else:
        assert by_numa_maps(closed_half) == {there: COUNT}


def test_hidden_mapping_alone_on_its_node_moves(capsys, monkeypatch, two_nodes, memory_only_node):
    """Nothing else of the process is on the node, so migrate_pages(2) moves only the region."""
    call, calls = _core.migrate_process, []

    def migrate_process(pid, away_from, to):
        calls.append((pid, away_from.tolist(), to.tolist()))
        return call(pid, away_from, to)

    monkeypatch.setattr(_core, "migrate_process", migrate_process)
    here = two_nodes[0]
    # A child begins with the memory of this process.
    system.migrate(0, [memory_only_node], here)
    with closed_on(memory_only_node) as other:
        held = [each.start for each in mappings(other) if memory_only_node in each.nodes]
        assert held == [other.result]
        options = ["--to", here, "--region", hex(other.result)]
        found, said = move(capsys, other, *options, status=0)
        assert by_numa_maps(other) == {here: COUNT}
        assert (found["moved"], found["failed"], found["elsewhere"]) == (COUNT, 0, 0)
        assert said == ""
        assert calls == [(other.pid, [memory_only_node], [here])] * HIDES


HOLD = """
import ctypes, mmap, os, sys
libc = ctypes.CDLL(None)
memory = mmap.mmap(-1, 64 * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.write(bytes([1]) * len(memory))
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
assert libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(len(memory)), 0) == 0
print(hex(address), flush=True)
sys.stdin.read()
"""


def test_the_whole_process(capsys, two_nodes, need_root):
    command = [sys.executable, "-S", "-c", HOLD]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        address = int(process.stdout.readline(), 16)
        for node in (*two_nodes[1:2], two_nodes[0]):
            options = ["--to", str(node), "--whole", "--all", "--json"]
            status = main(["move", str(process.pid), *options])
            found = json.loads(capsys.readouterr().out)
            mapping = next(
                each for each in witness.numa_maps(process.pid).values()
                if each.start <= address and each.nodes and each.start > address - (1 << 20)
            )  # fmt: skip
            assert set(mapping.nodes) == {node}
            assert set(found["failures"]) <= {"EBUSY"}
            assert (status == 0) == found["ok"] == (found["failed"] + found["elsewhere"] == 0)
        process.stdin.close()


@pytest.fixture
def hurried_balancing(two_nodes, need_root):
    if missing := balancing.needs():
        pytest.skip(f"needs {missing}")
    with balancing.hurried():
        yield


@pytest.mark.parametrize("huge", [False, True], ids=["small pages", "huge pages"])
def test_idle_process_watched_by_balancing(
    hurried_balancing, capsys, two_nodes, memory_only_node, huge
):
    held = []

    def hold():
        held.append(watched(memory_only_node, huge))
        return held[0].ctypes.data, held[0].nbytes

    with child(hold) as other:
        address, nbytes = other.result
        pages = np.arange(address, address + nbytes, PAGE, dtype=np.uintp)
        assert balancing.hidden(pages, other.pid).any() == HIDES
        before = by_numa_maps(other, address)
        p = mp.where(mp.Region(address, nbytes, other.pid))
        assert (p.pages_per_node, p.absent_pages) == (before, 0)
        # A query touches no page.
        assert balancing.hidden(pages, other.pid).any() == HIDES
        options = ["--to", two_nodes[0], "--region", hex(address)]
        found, _ = move(capsys, other, *options, status=0)
        assert by_numa_maps(other, address) == {two_nodes[0]: len(pages)}
        assert found["moved"] + found["already_there"] == len(pages)
        contents = other.call(contents_of, address, nbytes)
        assert contents == (np.arange(len(pages)) % 251).astype(np.uint8).tobytes()


def contents_of(address, nbytes):
    """Return the first byte of each page in a range of this process's memory."""
    return ctypes.string_at(address, nbytes)[::PAGE]
