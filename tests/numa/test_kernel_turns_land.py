"""New arrays whose single pages take turns: the kernel interleaves them, and each lands right."""

import errno
import os

import numpy as np
import pytest

import movepages as mp
from movepages._core import HUGE_PAGE_BYTES
from movepages.memory import placed_pages
from support import memory, nodes, policies, system, witness
from support.cpuset import confinement, join
from support.processes import child
from support.seccomp import forbid

PAGE = memory.PAGE
# include/uapi/asm-generic/mman.h
MCL_FUTURE = 2


@pytest.fixture
def allowed(two_nodes):
    return nodes.allowed()


def by_page(on):
    return mp.interleave(on, block=PAGE)


def where_turns_land(on):
    """Run in a child: return where pages of a new array are, and where they were wanted."""
    outside = policies.of_thread()
    a = mp.empty(40 * PAGE, np.uint8, layout=by_page(on))
    assert policies.of_thread() == outside
    return witness.nodes_of(memory.pages_of(a)).tolist(), mp.targets(a, by_page(on)).tolist()


def in_cpuset(group, on):
    join(group)
    return where_turns_land(on)


def test_turns_within_a_cpuset(allowed, need_root):
    on = allowed[-2:]
    with confinement(*on) as group, child(in_cpuset, group, on) as one:
        found, wanted = one.result
    assert found == wanted
    assert set(found) == set(on)


@pytest.mark.parametrize("calls", [(), ("SYS_MOVE_PAGES",), ("SYS_SET_MEMPOLICY",)])
def test_turns_where_calls_are_refused(allowed, calls):
    numbers = [getattr(system, name) for name in calls]

    def confined(on):
        forbid(errno.EPERM, *numbers)
        return where_turns_land(on)

    with child(confined, allowed[:2]) as one:
        found, wanted = one.result
    assert found == wanted


def locked(on):
    system.succeed(system.libc.mlockall(MCL_FUTURE))
    return where_turns_land(on)


def test_turns_in_locked_memory(allowed):
    with child(locked, allowed[:2]) as one:
        found, wanted = one.result
    assert found == wanted


def test_pages_that_the_kernel_gave_to_another_node_are_allocated_again(allowed, monkeypatch):
    populate, seen = placed_pages.populate_shares, []

    def on_one_node(shares):
        seen.append(len(shares))
        if len(seen) == 1:
            shares = [
                each._replace(nodes=each.nodes[:1], reserves=each.reserves[:1]) for each in shares
            ]
        return populate(shares)

    monkeypatch.setattr(placed_pages, "populate_shares", on_one_node)
    a = mp.empty(3 * HUGE_PAGE_BYTES, np.uint8, layout=by_page(allowed[:2]))
    assert seen == [1, 2]
    found = witness.nodes_at_once(memory.pages_of(a))
    assert (found == np.resize(allowed[:2], len(found))).all()


def test_file_pages_make_room_for_turns(allowed, small_node, disk):
    other = max(allowed, key=nodes.free_bytes)
    with open(disk / "file", "wb") as file:
        with mp.first_touch(small_node):
            file.write(bytes(32 << 20))
            file.flush()
        os.fsync(file.fileno())
    size = (nodes.free_bytes(small_node) - (16 << 20)) // PAGE * PAGE
    filler = mp.empty(size, np.uint8, layout=mp.blocks([small_node]))
    a = mp.empty(48 << 20, np.uint8, layout=by_page([small_node, other]))
    found = witness.nodes_at_once(memory.pages_of(a))
    assert (found == np.resize([small_node, other], len(found))).all()
    assert (witness.nodes_at_once(memory.pages_of(filler)) == small_node).all()
