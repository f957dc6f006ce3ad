"""What allocating() makes of memory that its users changed, and of what they dropped."""

import numpy as np

import movepages as mp
from support import memory

PAGE = memory.PAGE
NODE = mp.topology().allowed_nodes[0]
BOUND = [("BIND", (NODE,))]


def policies(a):
    return [(each.mode.name, each.nodes) for each in mp.policy(a)]


def test_the_policy_that_somebody_gave_an_array_ends_with_it():
    with mp.allocating(NODE):
        a = np.empty(100 * PAGE, np.uint8)
        address = a.ctypes.data
        mp.bind(a, NODE, mode="preferred")
        del a
        b = np.empty(100 * PAGE, np.uint8)
    assert b.ctypes.data == address
    assert policies(b) == BOUND


def test_an_array_of_which_a_part_has_a_policy_of_its_own_can_grow():
    with mp.allocating(NODE):
        a = np.full(100 * PAGE, 7, np.uint8)
        mp.bind(a[: 50 * PAGE], NODE, mode="preferred")
        a.resize(300 * PAGE, refcheck=False)
    assert (a[: 100 * PAGE] == 7).all()
    assert (a[100 * PAGE :] == 0).all()
    assert policies(a) == BOUND
