"""Which layouts agree with the turns that the kernel takes by itself."""

import mmap
from collections import Counter

import numpy as np
import pytest

import movepages as mp
from movepages._core import HUGE_PAGE_BYTES
from movepages.memory import kernel_turns, placed_pages
from movepages.memory.anonymous import map_memory
from movepages.memory.kernel_turns import ANY_TURN, FirstTurn, first_turn, follows_turns, took_turns
from support import memory, policies, system, witness
from support.processes import child

PAGE = mmap.PAGESIZE
# include/uapi/asm-generic/mman.h
MCL_FUTURE = 2
NODE = mp.topology().allowed_nodes[0]
NOT_A_NODE = max(mp.topology().nodes) + 1


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        ([0, 1], (0, 2)),
        ([1, 0], (1, 2)),
        ([5, 9, 2, 3], (2, 4)),
        ([5, 2, 9, 3], (0, 1)),
        ([5, 9, 2], (0, 1)),
        ([2, 1, 0], (0, 1)),
        ([0, 0, 1], (0, 1)),
        ([3], (0, 1)),
    ],
)
def test_the_turn_of_the_first_page(nodes, found):
    layout = mp.interleave(nodes, block=PAGE)
    first = first_turn(layout, 8 * PAGE)
    assert first == found
    pages = (np.arange(600, 608, dtype=np.uintp) + np.uintp(first.turn)) * np.uintp(PAGE)
    wanted = np.resize(np.array(nodes, np.int32), 8)
    assert follows_turns(pages, wanted, sorted(set(nodes))) == (first.nodes > 1)
    if first.nodes > 1:
        assert not follows_turns(pages + np.uintp(PAGE), wanted, sorted(set(nodes)))


def test_other_layouts():
    for layout in (None, mp.blocks([0, 1]), mp.interleave([0, 1], block=2 * PAGE)):
        assert first_turn(layout, 8 * PAGE) == ANY_TURN
    assert first_turn(mp.interleave([1, 2]), 8 * PAGE) == (0, 2)
    assert first_turn(mp.interleave([1, 2]), 4 * HUGE_PAGE_BYTES) == ANY_TURN
    pages = np.arange(0, 4 * PAGE, PAGE, np.uintp)
    assert not follows_turns(pages, np.array([-1, 0, -1, 0], np.int32), [-1, 0])


@pytest.mark.parametrize("first", [ANY_TURN, FirstTurn(0, 2), FirstTurn(3, 7)])
def test_memory_begins_with_its_turn(first):
    memory = map_memory(5 * PAGE, None, None, first)
    number = np.frombuffer(memory, np.uint8).ctypes.data // PAGE
    assert number % first.nodes == first.turn
    assert memory.nbytes == 5 * PAGE
    memory[:] = bytes(5 * PAGE)


def refuse(_pages):
    raise mp.MovePagesPermissionError(1, "refused")


def test_where_pages_are_that_took_turns(monkeypatch):
    pages = np.arange(8 * PAGE, 12 * PAGE, PAGE, np.uintp)
    for status, found in [([3, 7, 3, 7], True), ([3, 7, 3, 3], False), ([3, 7, 3, -2], False)]:
        monkeypatch.setattr(
            kernel_turns, "move_pages", lambda _, known=status: np.array(known, np.int32)
        )
        assert took_turns(pages, [3, 7]) == found
    monkeypatch.setattr(kernel_turns, "move_pages", refuse)
    assert not took_turns(pages, [3, 7])


def test_a_node_that_the_kernel_leaves_out_is_asked_for_by_itself(monkeypatch):
    monkeypatch.setattr(placed_pages, "refuse_unusable", lambda _: None)
    outside = policies.of_thread()
    with pytest.raises(mp.MovePagesError, match=f"node {NOT_A_NODE}") as caught:
        mp.empty(9 * PAGE, np.uint8, layout=mp.interleave([NODE, NOT_A_NODE], block=PAGE))
    assert caught.value.errno == 22
    assert policies.of_thread() == outside


@pytest.mark.parametrize("failed", [None, (12, NODE, True)])
def test_pages_in_the_wrong_turn_are_freed_and_asked_for_one_by_one(monkeypatch, failed):
    a = memory.anonymous(8 * PAGE)
    a[:] = 1
    asked = []

    def populate_shares(shares):
        asked.append([(each.nodes.tolist(), each.starts.tolist()) for each in shares])
        return failed if len(asked) == 1 else None

    monkeypatch.setattr(placed_pages, "populate_shares", populate_shares)
    pages, nodes = memory.pages_of(a), (NODE, NOT_A_NODE)
    parts = {nodes: (pages[:1], np.array([a.nbytes]))}
    assert placed_pages._populate(parts, Counter(), {0}) is None
    assert not witness.present(pages).any()
    turn = pages // np.uintp(PAGE) % np.uintp(2)
    one_by_one = {node: pages[turn == at].tolist() for at, node in enumerate(nodes)}
    assert asked[0] == [(list(nodes), pages[:1].tolist())]
    assert {node: starts for (node,), starts in asked[1]} == one_by_one


def test_locked_memory_is_there_at_once_and_moved():
    def locked():
        system.succeed(system.libc.mlockall(MCL_FUTURE))
        return mp.where(mp.empty(40 * PAGE, np.uint8, layout=mp.blocks([NODE]))).bytes_per_node

    with child(locked) as one:
        assert one.result == {NODE: 40 * PAGE}
