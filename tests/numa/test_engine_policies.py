"""Moves by policy calls leave every policy as it was."""

import errno
import mmap
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import movepages as mp
from support import memory, system, witness
from support.forks import in_child
from support.kinds_base import KERNEL
from support.memory import PAGE
from support.pins import pinned
from support.sandboxes import engine

STATIC, RELATIVE = 1 << 15, 1 << 14
PREFERRED_MANY, WEIGHTED_INTERLEAVE = 5, 6
PAGES = 32


@pytest.fixture(autouse=True)
def by_policy(two_nodes):
    with engine("policy"):
        yield


def policies(*arrays):
    """Return the lines of maps and numa_maps about some arrays, without counts of pages."""
    edges = [(a.ctypes.data, a.ctypes.data + a.nbytes) for a in arrays]

    def within(line):
        start = int(re.split("[- ]", line, maxsplit=1)[0], 16)
        return any(first <= start < last for first, last in edges)

    lines = {}
    for name in ("maps", "numa_maps"):
        text = Path(f"/proc/self/{name}").read_text().splitlines()
        words = 2 if name == "numa_maps" else 1
        lines[name] = [line.split()[:words] for line in text if within(line)]
    return lines


def bind(array, mode, *nodes, home=None):
    mask = system.node_mask(*nodes) if nodes else None
    bits = system.MAX_NODES + 1 if nodes else 0
    start, nbytes = array.ctypes.data, array.nbytes
    system.syscall(system.SYS_MBIND, start, nbytes, mode, mask, bits, 0)
    if home is not None:
        system.syscall(system.SYS_SET_MEMPOLICY_HOME_NODE, start, nbytes, home, 0)


MODES = {
    "default": (system.MPOL_DEFAULT, ()),
    "preferred": (system.MPOL_PREFERRED, (1,)),
    "bind": (system.MPOL_BIND, (0, 1)),
    "interleave": (system.MPOL_INTERLEAVE, (0, 1)),
    "local": (system.MPOL_LOCAL, ()),
    "preferred many": (PREFERRED_MANY, (0, 1)),
    "weighted interleave": (WEIGHTED_INTERLEAVE, (0, 1)),
    "static": (system.MPOL_BIND | STATIC, (0, 1)),
    "relative": (system.MPOL_INTERLEAVE | RELATIVE, (0, 1)),
}


def made(shared=False):
    a = memory.anonymous(PAGES * PAGE, shared=shared)
    memory.touch(a)
    return a


def set_or_skip(array, name, **how):
    mode, nodes = MODES[name]
    try:
        bind(array, mode, *nodes, **how)
    except OSError as error:
        pytest.skip(f"needs the policy '{name}', this kernel is {KERNEL}: {error}")


@pytest.mark.parametrize("shared", [False, True], ids=["private", "shared"])
@pytest.mark.parametrize("name", MODES)
def test_each_policy_comes_back(name, shared):
    a = made(shared)
    set_or_skip(a[4 * PAGE : 20 * PAGE], name)
    before = policies(a)
    # Across its edges, inside it, and to where it is already.
    for first, last in ((0, PAGES), (2, 6), (8, 9), (19, 24)):
        for node in (1, 0, 0):
            mp.move(a[first * PAGE : last * PAGE], node).raise_for_status()
            assert set(witness.nodes_of(memory.pages_of(a)[first:last]).tolist()) == {node}
            assert policies(a) == before


@pytest.mark.parametrize("name", ["bind", "preferred many"])
@pytest.mark.parametrize("part", [slice(0, PAGES), slice(4, 8), slice(0, 4)], ids=str)
def test_the_home_node_comes_back(name, part):
    a = made()
    rest, moved = a[: 4 * PAGE], a[4 * PAGE :]
    for home in (0, 1):
        set_or_skip(moved, name, home=home)
        before = policies(a)
        mp.move(moved[part.start * PAGE : part.stop * PAGE], 1).raise_for_status()
        mp.move(moved[part.start * PAGE : part.stop * PAGE], 0).raise_for_status()
        assert policies(a) == before
        # Mappings merge if their policies are equal, home node included.
        set_or_skip(rest, name, home=home)
        assert len(policies(a)["maps"]) == 1


@pytest.mark.usefixtures("need_root")
def test_a_move_that_fails_restores_the_policy():
    a = made()
    bind(a[: 8 * PAGE], system.MPOL_INTERLEAVE, 0, 1)
    pages = memory.pages_of(a)
    here = witness.nodes_of(pages)
    before = policies(a)
    with pinned(*pages[4:12].tolist()):
        status = mp.move_pages(pages, 1 - int(here[5]))
    assert (status[4:12] == np.where(here[4:12] == status[0], status[0], -errno.EBUSY)).all()
    assert policies(a) == before


def move_often(pages, node, times=100):
    for _ in range(times):
        mp.move_pages(pages, node)


def test_moves_of_two_threads_leave_the_policy():
    a = made()
    before = policies(a)
    with ThreadPoolExecutor() as pool:
        moves = [pool.submit(move_often, memory.pages_of(a), node) for node in (0, 1, 0, 1)]
    assert [each.result() for each in moves] == [None] * 4
    assert policies(a) == before


def test_a_child_forked_meanwhile_has_the_policy_from_before():
    a = made()
    before = policies(a)

    def look():
        assert policies(a) == before, policies(a)

    with ThreadPoolExecutor() as pool:
        move = pool.submit(lambda: [move_often(memory.pages_of(a), n % 2, 1) for n in range(400)])
        told = {in_child(look)}
        while not move.done():
            told.add(in_child(look))
    assert told == {"nothing"}


def test_nothing_is_faulted_in():
    a = memory.anonymous(PAGES * PAGE)
    a[:: 2 * PAGE] = 1
    pages = memory.pages_of(a)
    before = witness.present(pages)
    mp.where(a)
    mp.move_pages(pages, 1)
    mp.move(a, 0)
    assert np.array_equal(witness.present(pages), before)


def test_a_part_of_a_huge_page_moves_all_of_it_and_nothing_else(huge_page_size):
    """Some blocks are huge and some are not, in one mapping."""
    a = memory.anonymous(4 * huge_page_size, huge=True)
    bind(a, system.MPOL_BIND, 0)
    small, huge = a[huge_page_size : 2 * huge_page_size], a[2 * huge_page_size :]
    system.succeed(system.libc.madvise(small.ctypes.data, small.nbytes, mmap.MADV_NOHUGEPAGE))
    a[::PAGE] = 1
    # One mapping again, and khugepaged leaves it as it is.
    system.succeed(system.libc.madvise(a.ctypes.data, a.nbytes, mmap.MADV_NOHUGEPAGE))
    before, held = policies(a), witness.huge_bytes(a)
    if held != 3 * huge_page_size:
        pytest.skip(f"needs three huge pages, the kernel gave {held} bytes")
    mp.move_pages(memory.pages_of(huge)[5:9], 1)
    mp.move_pages(memory.pages_of(small)[5:9], 1)
    now = witness.nodes_of(memory.pages_of(a)).reshape(4, -1)
    assert now[0].tolist() == now[3].tolist() == [0] * now.shape[1]
    assert (np.flatnonzero(now[1]).tolist(), set(now[2].tolist())) == ([5, 6, 7, 8], {1})
    assert (witness.huge_bytes(a), policies(a)) == (held, before)
