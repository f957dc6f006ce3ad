"""What is advised where threads are bound to nodes, of memory on this machine's first node."""

from dataclasses import replace

import pytest

import movepages as mp
from advice_fixtures import (
    BOUND,
    MIB,
    ONE,
    PAGE,
    RATE,
    SIZE,
    TWO,
    bandwidth,
    lying,
    subject,
    thread,
)
from movepages.advice import judge as judging
from movepages.advice.subjects import Subject
from movepages.layouts.blocks import Blocks, ByAxis
from movepages.layouts.interleave import Interleave
from support import memory

pytestmark = pytest.mark.skipif(0 not in mp.topology().allowed_nodes, reason="needs node 0")


def test_memory_near_its_threads_is_left(ask):
    found = ask(subject(), ONE)
    assert (found.verdict, found.near, found.to_move, found.layout) == ("leave", 1.0, 0, "")


def test_memory_on_the_wrong_node_moves(ask):
    found = ask(subject(), TWO)
    assert (found.verdict, found.layout, found.target) == ("move", "1", 1)
    assert (found.near, found.near_after, found.to_move) == (0.0, 1.0, SIZE)
    assert found.cost_seconds == SIZE / RATE
    assert (found.pass_seconds, found.passes) == (None, None)
    # Node 1 of this machine may not exist.
    assert found.problems or 1 in mp.topology().allowed_nodes


def test_threads_bound_to_nodes_get_a_part_each(ask):
    found = ask(subject(), BOUND)
    assert (found.verdict, found.layout, found.target) == ("move", "blocks:0,1", Blocks((0, 1)))
    assert (found.near, found.near_after, found.to_move) == (0.5, 1.0, SIZE // 2)
    rows = ask(subject((4, MIB), divides_by_rows=True, rows=4), BOUND)
    assert (rows.layout, rows.target) == ("by_axis(0, [0, 1])", ByAxis(0, (0, 1)))
    row = ask(subject((1, SIZE), divides_by_rows=True, rows=1), BOUND)
    assert row.layout == "blocks:0,1"
    three = [thread((0,)), thread((2,)), thread((3,))]
    assert ask(subject(), three).layout == "blocks:0,1,1"


def test_memory_that_somebody_has_divided_is_left(wish):
    for parts in ([(1, 512), (0, 512)], [(1, 300), (0, 5), (1, 207), (0, 512)]):
        found = wish(lying(parts), BOUND)
        assert found.verdict == "leave"
        assert found.reason == "divided into long parts that match the threads' shares"
    assert wish(lying([(1, 900), (0, 124)]), BOUND).layout == "blocks:0,1"
    for pages in (1, 128, 256):
        turns = [(turn % 2, pages) for turn in range(1024 // pages)]
        assert wish(lying(turns), BOUND).layout == "blocks:0,1"


def test_threads_that_all_use_all_of_it_share_the_nodes(ask):
    found = ask(subject(), BOUND, "all")
    assert (found.verdict, found.layout) == ("move", "interleave:0,1")
    assert found.target == Interleave((0, 1), None)
    assert found.to_move == SIZE // 2
    assert ask(lying([(0, 512), (1, 512)]), BOUND, "all").verdict == "leave"


@pytest.mark.parametrize("access", ["parts", "all"])
def test_read_only_memory_is_copied(ask, access):
    found = ask(subject(read_only=True), BOUND, access)
    assert (found.verdict, found.layout, found.target) == ("replicate", "replicate:0,1", [0, 1])
    assert (found.to_move, found.near_after, found.cost_seconds) == (2 * SIZE, 1.0, None)
    known = ask(subject(read_only=True), BOUND, access, figures=bandwidth())
    assert known.cost_seconds == pytest.approx(2 * 2 * SIZE / 25e9)


def test_read_only_memory_without_room_for_copies_is_divided(ask):
    huge = subject(read_only=True)
    huge = huge._replace(placement=replace(huge.placement, nbytes=1 << 40))
    assert ask(huge, BOUND).verdict == "move"


def test_little_memory_and_no_memory_are_left(ask):
    few = ask(lying([(0, 800), (1, 224)]), ONE)
    assert few.verdict == "leave"
    assert "would move" in few.reason
    a = memory.anonymous(SIZE)
    absent = ask(Subject("a", a, mp.where(a)), TWO)
    assert (absent.verdict, absent.near) == ("leave", None)
    assert "no memory yet" in absent.reason


def test_huge_pages_that_cannot_be_divided_are_left(ask, monkeypatch):
    real = judging.plan
    monkeypatch.setattr(
        judging, "plan", lambda *args: replace(real(*args), overruled=SIZE // 2 // PAGE)
    )
    found = ask(subject(), BOUND)
    assert (found.verdict, found.near) == ("leave", 0.5)
    assert "huge pages" in found.reason


def test_pages_that_others_map_are_a_problem(ask):
    found = ask(subject(mapmax=3), TWO)
    assert "mapped 3 times" in found.problems[-1]
    assert "--all" in found.problems[-1]
    assert not any("mapped" in each for each in ask(subject(), TWO).problems)


def test_a_small_part_of_an_array_is_not_worth_its_pages(ask):
    a = memory.anonymous(SIZE, 0)
    memory.touch(a)
    part = a.reshape(-1, PAGE)[:, :10]
    found = ask(Subject("part", part, mp.where(part)), TWO)
    assert found.verdict == "leave"
    assert "less than 1 MiB of it would move" in found.reason


def test_memory_of_each_thread_is_left(wish):
    """Threads that are bound to nodes have buffers of their own, such as heaps."""
    mine, theirs = lying([(0, 1024)]), lying([(1, 1010)])
    assert "each thread's own" in wish(mine, BOUND, theirs).reason
    assert "each thread's own" in wish(theirs, BOUND, mine).reason
    assert wish(mine, BOUND).layout == wish(mine, BOUND, lying([(1, 90)])).layout == "blocks:0,1"
    # Neither are memories of other sizes, such as the heap, nor is divided memory.
    assert wish(mine, BOUND, lying([(1, 900)])).layout == "blocks:0,1"
    assert wish(mine, BOUND, lying([(0, 512), (1, 512)])).layout == "blocks:0,1"
