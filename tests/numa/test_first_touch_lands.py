"""first_touch() decides where the pages of any allocator land, in its own thread alone."""

import ctypes
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import movepages as mp
from support import memory, nodes, witness

PAGE = memory.PAGE
SIZE = 200 * PAGE
# glibc takes a fresh mapping for every block of this size, and for no smaller one for certain.
FRESH = 33 << 20


@pytest.fixture
def allowed(two_nodes):
    return nodes.allowed()


def by_numpy():
    return np.ones(FRESH, np.uint8)


def by_python():
    return np.frombuffer(bytearray(FRESH), np.uint8)


def by_mmap():
    a = memory.anonymous(SIZE)
    a[:] = 1
    return a


def by_malloc():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    address = libc.malloc(FRESH)
    ctypes.memset(address, 1, FRESH)
    block = (ctypes.c_uint8 * FRESH).from_address(address)
    weakref.finalize(block, libc.free, address)
    return np.ctypeslib.as_array(block)


@pytest.mark.parametrize("make", [by_numpy, by_python, by_mmap, by_malloc])
def test_any_allocation_lands_on_the_node(allowed, make):
    for node in allowed:
        with mp.first_touch(node):
            a = make()
        # The allocator itself writes to the first page.
        assert (witness.nodes_at_once(memory.pages_of(a)[1:]) == node).all()


@pytest.mark.parametrize("mode", ["interleave", "weighted", "preferred-many"])
def test_several_nodes(allowed, mode):
    a = memory.anonymous(120 * PAGE)
    try:
        with mp.first_touch(nodes=allowed, mode=mode):
            memory.touch(a)
    except mp.MovePagesUnsupportedError as error:
        pytest.skip(f"this kernel is too old: {error}")
    found = np.bincount(witness.nodes_of(memory.pages_of(a)), minlength=max(allowed) + 1)
    assert found.sum() == found[list(allowed)].sum() == 120
    if mode == "interleave":
        # The tables of these pages take turns, too.
        assert (abs(found[list(allowed)] - 120 // len(allowed)) <= 2).all()


def test_the_first_write_decides(allowed):
    with mp.first_touch(allowed[0]):
        a = memory.anonymous(20 * PAGE)
        a[: 10 * PAGE] = 1
    with mp.first_touch(allowed[1]):
        a[:] = 2
    found = witness.nodes_of(memory.pages_of(a))
    assert found.tolist() == [allowed[0]] * 10 + [allowed[1]] * 10


def test_memory_that_was_touched_before_stays_where_it_is(allowed):
    here, there = allowed[:2]
    with mp.first_touch(here):
        a = by_mmap()
    with mp.first_touch(there):
        a[:] = 2
    assert (witness.nodes_of(memory.pages_of(a)) == here).all()


def test_a_range_with_a_policy_follows_that_one(allowed):
    with mp.first_touch(allowed[0]):
        a = mp.full(SIZE, 1, np.uint8, node=allowed[1])
    assert (witness.nodes_of(memory.pages_of(a)) == allowed[1]).all()


def test_threads(allowed):
    here, there = allowed[:2]
    go, done, made = threading.Event(), threading.Event(), {}

    def older():
        go.wait()
        with mp.first_touch(there):
            made["older"] = by_mmap()
        done.set()

    def newer():
        made["newer"] = by_mmap()

    first = threading.Thread(target=older)
    first.start()
    with mp.first_touch(here):
        go.set()
        done.wait()
        made["own"] = by_mmap()
        second = threading.Thread(target=newer)
        second.start()
        second.join()
    first.join()
    on = {name: set(witness.nodes_of(memory.pages_of(a)).tolist()) for name, a in made.items()}
    assert on == {"older": {there}, "own": {here}, "newer": {here}}


def test_threads_of_a_pool_each_on_its_node(allowed):
    mine = threading.local()

    def settle(node):
        mine.block = mp.first_touch(node)
        mine.block.__enter__()

    for node in allowed:
        with ThreadPoolExecutor(3, initializer=settle, initargs=(node,)) as pool:
            made = list(pool.map(lambda _: by_mmap(), range(6)))
        for a in made:
            assert (witness.nodes_of(memory.pages_of(a)) == node).all()
