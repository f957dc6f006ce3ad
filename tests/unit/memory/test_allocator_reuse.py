"""How allocating() reuses memory of dropped arrays, and memory that its users changed."""

import numpy as np

import movepages as mp
from support import memory

PAGE = memory.PAGE
NODE = mp.topology().allowed_nodes[0]
BOUND = [("BIND", (NODE,))]


def policies(a):
    return [(each.mode.name, each.nodes) for each in mp.policy(a)]


def test_policy_given_to_an_array_ends_with_it():
    with mp.allocating(NODE):
        a = np.empty(100 * PAGE, np.uint8)
        address = a.ctypes.data
        mp.bind(a, NODE, mode="preferred")
        del a
        b = np.empty(100 * PAGE, np.uint8)
    assert b.ctypes.data == address
    assert policies(b) == BOUND


def test_array_with_a_policy_on_a_part_can_grow():
    with mp.allocating(NODE):
        a = np.full(100 * PAGE, 7, np.uint8)
        mp.bind(a[: 50 * PAGE], NODE, mode="preferred")
        a.resize(300 * PAGE, refcheck=False)
    assert (a[: 100 * PAGE] == 7).all()
    assert (a[100 * PAGE :] == 0).all()
    assert policies(a) == BOUND


def is_mapped(address):
    with open("/proc/self/maps", encoding="utf-8") as lines:
        edges = [line.split(maxsplit=1)[0].split("-") for line in lines]
    return any(int(start, 16) <= address < int(end, 16) for start, end in edges)


def test_small_array_keeps_no_large_one_mapped():
    with mp.allocating(NODE):
        small = np.ones(10)
        dropped_within = np.ones(30 << 20, np.uint8)
        dropped_later = np.ones(20 << 20, np.uint8)
        gone = dropped_within.ctypes.data
        del dropped_within
        assert is_mapped(gone)
    assert not is_mapped(gone)
    gone = dropped_later.ctypes.data
    del dropped_later
    assert not is_mapped(gone)
    assert (small == 1).all()
    assert policies(small) == BOUND
