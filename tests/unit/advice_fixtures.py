"""A machine with two sockets and a node of memory alone, and threads on it."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

import movepages as mp
import sysfs_fixtures as fake
from movepages.advice.subjects import Subject
from movepages.processes.thread_use import ThreadUse
from movepages.results.bandwidth_figures import Rates
from movepages.system.machine_key import MachineKey
from movepages.system.topology_reader import topology
from support import memory

GIB_KB = 1 << 20
FIRST, SECOND = (0, 1), (2, 3)
BOTH = FIRST + SECOND
MIB = 1 << 20
SIZE = 4 * MIB
PAGE = memory.PAGE
RATE = 2.0**30


def machine(base, last=2):
    """CPUs 0-1 are on node 0, 2-3 on node 1; node 2 has memory alone, near node 1.

    Nodes after that, up to the last, have memory alone, and are far from all others.
    """
    rows = [[10, 20, 30], [20, 10, 20], [30, 20, 10]]
    cpus = dict(enumerate(("0-1", "2-3")))
    for node in range(3, last + 1):
        rows = [*([*row, 30] for row in rows), [*[30] * node, 10]]
    nodes = {
        node: fake.FakeNode(cpus.get(node, ""), " ".join(map(str, row)), 8 * GIB_KB, 4 * GIB_KB)
        for node, row in enumerate(rows)
    }
    ids = dict.fromkeys(("online", "possible", "has_memory"), f"0-{last}")
    return topology(fake.numa_machine(base, nodes, **ids, has_cpu="0-1"))


def divided_sockets(base):
    """Two sockets with two nodes each: CPUs 0-3 are on nodes 0-1, CPUs 4-7 on nodes 2-3."""
    rows = ["10 12 21 21", "12 10 21 21", "21 21 10 12", "21 21 12 10"]
    nodes = {
        i: fake.FakeNode(f"{2 * i}-{2 * i + 1}", row, 8 * GIB_KB, 4 * GIB_KB)
        for i, row in enumerate(rows)
    }
    ids = dict.fromkeys(("online", "possible", "has_memory", "has_cpu"), "0-3")
    return topology(fake.numa_machine(base, nodes, **ids))


def thread(cpus, seconds=1.0, last=None, age=0.0):
    last = cpus[0] if last is None else last
    return ThreadUse(100 + cpus[0], "worker", tuple(cpus), last, seconds, age)


def bandwidth(near=100.0, far=25.0, key=None):
    """Return figures by which far memory is so much slower."""
    read = np.array([[near, far, far], [far, near, near]])
    return mp.Bandwidth(
        cpu_nodes=(0, 1), memory_nodes=(0, 1, 2), read=read, write=read / 2, copy=read.copy(),
        latency=1e4 / read, together={"local": Rates(1.0, 1.0, 1.0)},
        nbytes=dict.fromkeys((0, 1, 2), 1 << 28),
        machine=key or MachineKey("host", "6.12", "cpu", "0-3", "0-2"),
        measured_at=datetime(2026, 1, 2, tzinfo=UTC),
    )  # fmt: skip


def subject(shape=(SIZE,), **more):
    a = memory.anonymous(SIZE, 0)
    memory.touch(a)
    a = a.reshape(shape)
    return Subject("a", a, mp.where(a), **more)


def filled(nbytes):
    a = memory.anonymous(nbytes, 0)
    memory.touch(a)
    return a


def lying(nodes, **more):
    """Return memory that is said to have so many pages on each node in turn."""
    a = memory.anonymous(SIZE)
    start, runs = a.ctypes.data, []
    for node, pages in nodes:
        runs.append((start, pages, pages * PAGE, node))
        start += pages * PAGE
    found = mp.where(a)
    made = replace(found, runs=np.array(runs, found.runs.dtype), absences=found.absences[:0])
    return Subject("a", a, made, **more)


ONE, TWO = [thread(FIRST)], [thread(SECOND)]
BOUND = [thread((0,)), thread((2,))]
FREE = [thread(BOTH)] * 3
