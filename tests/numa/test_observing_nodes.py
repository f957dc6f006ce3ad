"""observe() on several nodes: where threads ran, and on which node memory was allocated."""

import os
import threading
import time

import numpy as np
import pytest

from movepages.processes.observing import observe
from support import memory, nodes, witness

PAGES = 2000
SECONDS = 0.2
# Sums of floats in another order.
NEARLY = 1e-6


def cpus_of(node):
    return nodes.parse_list((nodes.SYSFS / f"node{node}" / "cpulist").read_text())


@pytest.fixture
def cpu_nodes(two_nodes):
    found = [node for node in two_nodes if cpus_of(node)]
    if len(found) < 2:
        pytest.skip("needs two nodes with CPUs and memory")
    return found


@pytest.fixture
def end():
    """Return an event that ends the threads of the test."""
    event = threading.Event()
    yield event
    event.set()


def allocate_and_compute(node, took, end, done):
    os.sched_setaffinity(0, cpus_of(node))
    a, begin = memory.anonymous(PAGES * memory.PAGE), time.thread_time()
    memory.touch(a)
    while time.thread_time() - begin < SECONDS:
        np.sqrt(np.ones(1 << 14))
    took[threading.get_native_id()] = node, time.thread_time() - begin, a
    done.set()
    end.wait()


def on_each(nodes, end):
    """Have a thread on each node allocate memory and compute; return what each took, by tid."""
    took, ready = {}, []
    for node in nodes:
        ready.append(threading.Event())
        arguments = (node, took, end, ready[-1])
        threading.Thread(target=allocate_and_compute, args=arguments).start()
    for done in ready:
        done.wait()
    return took


def test_each_thread_is_on_its_node(cpu_nodes, end):
    seen = observe(on_each, (cpu_nodes, end))
    threads = {each.tid: each for each in seen.threads}
    assert len(seen.result) == len(cpu_nodes)
    for tid, (node, seconds, a) in seen.result.items():
        assert threads[tid].cpus == tuple(cpus_of(node))
        assert threads[tid].cpu in cpus_of(node)
        assert threads[tid].cpu_seconds_per_node[node] >= seconds - NEARLY
        assert set(witness.nodes_of(memory.pages_of(a)).tolist()) == {node}
    assert set(seen.cpu_seconds_per_node) >= {*cpu_nodes}


def test_allocations_count_on_their_node(cpu_nodes, end):
    for node in cpu_nodes:
        seen = observe(on_each, ([node], end))
        assert seen.numa[node].numa_hit >= PAGES
        assert seen.numa[node].local_node >= PAGES
        assert seen.minor_faults >= PAGES


def test_memory_of_another_node_than_that_of_the_cpu(cpu_nodes):
    here, there = cpu_nodes

    def allocate_far_away():
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cpus_of(here))
        try:
            memory.anonymous(PAGES * memory.PAGE, there)
        finally:
            os.sched_setaffinity(0, before)

    seen = observe(allocate_far_away)
    assert seen.numa[there].other_node >= PAGES
    assert seen.numa[there].numa_hit >= PAGES
