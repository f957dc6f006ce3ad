"""Each copy of replicate() is wholly on its node, and threads find the near one."""

import gc
import os
import threading

import numpy as np
import pytest

import movepages as mp
from support import memory, nodes, witness

PAGE = memory.PAGE


@pytest.fixture
def allowed(two_nodes):
    return nodes.allowed()


def on(array):
    return set(witness.nodes_at_once(memory.pages_of(array)).tolist())


def test_copies_of_an_array(allowed):
    a = np.arange(3 << 20)
    found = mp.replicate(a, allowed)
    for node in allowed:
        assert on(found.on(node)) == {node}
        assert np.array_equal(found.on(node), a)
    told = mp.where(found)
    assert list(told) == [f"node{node}" for node in allowed]
    assert told.bytes_per_node == dict.fromkeys(allowed, a.nbytes)


def test_copies_of_a_memmap_and_of_a_mapping(allowed, tmp_path):
    values = np.arange(1 << 20)
    np.save(tmp_path / "table.npy", values)
    model = {
        "table": np.load(tmp_path / "table.npy", mmap_mode="r"),
        "small": [np.ones(5), np.ones((300, 400), order="F")],
    }
    found = mp.replicate(model, allowed[:2])
    for node in allowed[:2]:
        copy = found.on(node)
        assert np.array_equal(copy["table"], values)
        for each in (copy["table"], *copy["small"]):
            assert on(each.T) == {node}


def test_a_thread_finds_the_copy_of_its_node(allowed):
    machine = mp.topology()
    found = mp.replicate(np.ones(1000), allowed)
    told = {}

    def look(cpu):
        os.sched_setaffinity(0, {cpu})
        told[cpu] = on(found.here)

    for cpu in os.sched_getaffinity(0):
        thread = threading.Thread(target=look, args=(cpu,))
        thread.start()
        thread.join()
        assert told[cpu] == {machine.node_near(cpu)}


def test_a_node_without_a_copy_reads_from_the_nearest(allowed, memory_only_node):
    found = mp.replicate(np.ones(1000), [memory_only_node])
    assert on(found.here) == {memory_only_node}


def test_too_little_memory_is_said_before_anything_is_copied(allowed, small_node):
    other = next(node for node in allowed if node != small_node)
    room = nodes.most_bytes(small_node)
    # Never read: a mapping of holes.
    a = np.frombuffer(memory.anonymous(room + (32 << 20)), np.uint8)
    before = memory.own_bytes()
    with pytest.raises(mp.MovePagesMemoryError, match=f"node {small_node} can give .* too little"):
        mp.replicate(a, [other, small_node])
    assert memory.own_bytes() < before + (16 << 20)


def held_on(node):
    """Return the bytes of this process on a node, by numa_maps.

    The node's free memory says less: pages that were freed may wait in lists of the CPUs.
    """
    return sum(each.nodes.get(node, 0) * each.page_size for each in witness.numa_maps().values())


def test_closing_gives_the_memory_back(allowed):
    a = np.ones(6 << 20)
    node = allowed[1]
    # What earlier tests left behind must not go meanwhile.
    gc.collect()
    before = held_on(node)
    found = mp.replicate(a, [node])
    assert held_on(node) > before + a.nbytes // 2
    found.close()
    assert held_on(node) < before + a.nbytes // 2
