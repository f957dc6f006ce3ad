"""What is advised for memory on the first node of this machine, as if it had two sockets."""

import math
from dataclasses import replace

import numpy as np
import pytest

import movepages as mp
import sysfs_fixtures as fake
from advice_fixtures import FIRST, GIB_KB, SECOND, bandwidth, divided_sockets, machine, thread
from movepages.advice import judge as judging
from movepages.advice import wishes as wishing
from movepages.advice import wishes_free
from movepages.advice.judge import Setting, judge
from movepages.advice.nearness import nodes_near
from movepages.advice.subjects import Subject
from movepages.advice.totals import totals_of
from movepages.advice.use import use_of
from movepages.advice.wishes import wish_for
from movepages.layouts.blocks import Blocks, ByAxis
from movepages.layouts.interleave import Interleave
from movepages.system.topology_reader import topology
from support import memory

MIB = 1 << 20
SIZE = 4 * MIB
PAGE = memory.PAGE
BOTH = FIRST + SECOND
RATE = 2.0**30
ONE, TWO = [thread(FIRST)], [thread(SECOND)]
BOUND = [thread((0,)), thread((2,))]
FREE = [thread(BOTH)] * 3

pytestmark = pytest.mark.skipif(0 not in mp.topology().allowed_nodes, reason="needs node 0")


@pytest.fixture(autouse=True)
def rate(monkeypatch):
    monkeypatch.setattr(judging, "rate_known", lambda: RATE)
    monkeypatch.setattr(wishes_free, "count_cores", len)


@pytest.fixture
def ask(tmp_path):
    two = machine(tmp_path)

    def ask(subject, threads, access="parts", balancing=False, figures=None):
        use, totals = use_of(two, threads), totals_of([subject])
        return judge(subject, Setting(two, use, access, balancing, figures, totals))

    return ask


@pytest.fixture
def wish(tmp_path):
    """Ask for the layout alone, of memory that only is said to be somewhere."""
    two = machine(tmp_path)

    def wish(subject, threads, *others):
        totals = totals_of([subject, *others])
        return wish_for(two, subject, use_of(two, threads), "parts", totals)

    return wish


def subject(shape=(SIZE,), **more):
    a = memory.anonymous(SIZE, 0)
    memory.touch(a)
    a = a.reshape(shape)
    return Subject("a", a, mp.where(a), **more)


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


def test_memory_without_cpus_is_near_if_it_is_faster(wish, tmp_path):
    assert wish(lying([(2, 1024)]), TWO).layout == "1"
    assert wish(lying([(2, 1024)]), ONE).layout == "0"
    two = machine(tmp_path / "tiers")
    tiers = {0: 4, 1: 4, 2: 2}
    nodes = {each: replace(node, tier=tiers[each]) for each, node in two.nodes.items()}
    fast = replace(two, nodes=nodes)
    assert [nodes_near(fast, node) for node in (0, 1)] == [{0}, {1, 2}]
    slow = replace(two, nodes=nodes | {2: replace(nodes[2], tier=6)})
    assert [nodes_near(slow, node) for node in (0, 1)] == [{0}, {1}]


def test_parts_in_faster_memory_are_near(tmp_path, monkeypatch):
    two = machine(tmp_path)
    tiers = {0: 4, 1: 4, 2: 2}
    fast = replace(
        two, nodes={each: replace(node, tier=tiers[each]) for each, node in two.nodes.items()}
    )
    real, some, use = wishing.plan, subject(), use_of(fast, BOUND)
    for machine_now, verdict in ((fast, "leave"), (two, "move")):
        flows = {(0, 0): SIZE // 2, (2, 1): SIZE // 2}
        monkeypatch.setattr(
            wishing, "plan", lambda *of, found=flows: replace(real(*of), flows=found)
        )
        held = totals_of([some])
        assert wish_for(machine_now, some, use, "parts", held).verdict == verdict


def test_memory_is_left_if_no_nearer_node_is_allowed(tmp_path):
    four = divided_sockets(tmp_path)
    for allowed, verdict in (((0, 1), "leave"), ((0, 1, 3), "move"), ((0, 1, 2), "move")):
        nodes = {i: replace(node, allowed=i in allowed) for i, node in four.nodes.items()}
        cpuset = replace(four, nodes=nodes)
        some = lying([(1, 1024)])
        held = totals_of([some])
        found = wish_for(cpuset, some, use_of(cpuset, [thread((4, 5))]), "parts", held)
        assert (found.verdict, found.near) == (verdict, 0.0)


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


def test_free_threads_get_memory_in_turns(ask):
    found = ask(subject(), FREE)
    assert (found.verdict, found.layout) == ("move", "interleave:0,1")
    for parts in ([(0, 512), (1, 512)], [(page % 2, 1) for page in range(1024)]):
        assert ask(lying(parts), FREE).verdict == "leave"


def test_free_threads_that_fit_on_the_node_of_the_memory_are_bound_there(ask):
    found = ask(subject(), [thread(BOTH)] * 2)
    assert (found.verdict, found.layout, found.target) == ("bind", "CPUs of node 0", 0)
    assert "2 threads fit on one node" in found.reason
    assert (found.to_move, found.near_after) == (0, 1.0)


def test_free_threads_do_not_fit_on_cpus_that_they_may_not_use(ask):
    found = ask(subject(), [thread((0, 2))] * 2)
    assert (found.verdict, found.layout) == ("move", "interleave:0,1")


def test_memory_near_nearly_all_cpus_of_free_threads_is_left(tmp_path):
    nodes = {
        0: fake.FakeNode("0-31", "10 20", GIB_KB, GIB_KB),
        1: fake.FakeNode("32-63", "20 10", GIB_KB, GIB_KB),
    }
    ids = dict.fromkeys(("online", "possible", "has_memory", "has_cpu"), "0-1")
    large = topology(fake.numa_machine(tmp_path / "large", nodes, **ids))
    use = use_of(large, [thread(tuple(range(33)))] * 40)
    for node, verdict in ((0, "leave"), (1, "move")):
        memory_there = lying([(node, 1024)])
        held = totals_of([memory_there])
        assert wish_for(large, memory_there, use, "parts", held).verdict == verdict


def test_threads_of_a_socket_may_run_on_its_nodes_alone(tmp_path):
    four = divided_sockets(tmp_path)
    first, second = thread((0, 1, 2, 3)), thread((4, 5, 6, 7))
    sockets, anywhere = [first] * 3 + [second] * 3, [thread(tuple(range(8)))] * 6

    def wish(lies_on, threads):
        some = lying(lies_on)
        return wish_for(four, some, use_of(four, threads), "parts", totals_of([some]))

    one_socket = [(page % 2, 1) for page in range(1024)]
    assert wish(one_socket, sockets).verdict == "leave"
    assert wish(one_socket, anywhere).layout == "interleave:0,1,2,3"
    assert wish([(0, 1024)], sockets).layout == "interleave:0,1,2,3"
    # Threads cannot be bound to the other socket.
    assert wish([(0, 1024)], [first, second]).layout == "interleave:0,1,2,3"
    assert wish([(2, 1024)], [first]).layout == "0"
    assert wish([(0, 512), (1, 512)], [first]).verdict == "leave"


def test_one_free_thread_is_bound_where_the_memory_is(ask):
    assert ask(subject(), [thread(BOTH, last=1)]).verdict == "leave"
    found = ask(subject(), [thread(BOTH, last=2)])
    assert (found.verdict, found.target) == ("bind", 0)
    assert "ran on node 1 last" in found.reason
    spread = ask(lying([(0, 512), (1, 512)]), [thread(BOTH, last=2)])
    assert (spread.verdict, spread.near) == ("leave", 0.5)


@pytest.mark.parametrize("threads", [[thread(BOTH, last=2)], [thread(BOTH)] * 2])
def test_all_memories_wish_for_the_same_node(wish, threads):
    """A thread cannot be bound to two nodes."""
    large, small = lying([(0, 1024)]), lying([(1, 90)])
    assert wish(large, threads, small).layout == "CPUs of node 0"
    found = wish(small, threads, large)
    assert (found.verdict, found.layout) == ("move", "0")
    assert wish(lying([(0, 50), (1, 50)]), threads, large).verdict == "leave"


def test_what_the_kernel_balances_is_left_to_it(ask):
    found = ask(subject(balanced=True), TWO, balancing=True)
    assert found.verdict == "leave"
    assert "automatic balancing is on" in found.reason
    assert "node 1 is where they belong" in found.reason
    alone = ask(subject(balanced=True), [thread(BOTH, last=2)], balancing=True)
    assert "bind the threads to the CPUs of node 0 does it at once" in alone.reason
    copies = ask(subject(balanced=True, read_only=True), BOUND, balancing=True)
    assert "replicate:0,1 gives each node a copy at once" in copies.reason
    assert ask(subject(balanced=False), TWO, balancing=True).verdict == "move"
    assert ask(subject(balanced=True), TWO).verdict == "move"


def test_little_memory_and_no_memory_are_left(ask):
    few = ask(lying([(0, 800), (1, 224)]), ONE)
    assert few.verdict == "leave"
    assert "would move" in few.reason
    a = memory.anonymous(SIZE)
    absent = ask(Subject("a", a, mp.where(a)), TWO)
    assert (absent.verdict, absent.near) == ("leave", None)
    assert "no memory yet" in absent.reason


def test_what_a_pass_gains_comes_from_the_figures(ask):
    found = ask(subject(), TWO, figures=bandwidth(100, 25))
    assert found.pass_seconds == pytest.approx(SIZE / 25e9)
    assert found.pass_seconds_after == pytest.approx(SIZE / 100e9)
    gain = SIZE / 25e9 - SIZE / 100e9
    assert found.passes == math.ceil(SIZE / RATE / gain)
    # Each node reads its half; the far half decides.
    halves = ask(subject(), BOUND, figures=bandwidth(100, 25))
    assert halves.pass_seconds == pytest.approx(SIZE / 2 / 25e9)
    assert halves.pass_seconds_after == pytest.approx(SIZE / 2 / 100e9)


@pytest.mark.parametrize("threads", [TWO, BOUND])
def test_what_gains_nothing_is_left(ask, threads):
    # The memory of one node gives both sockets no less.
    found = ask(subject(), threads, figures=bandwidth(100, 99) if threads is TWO else wide())
    assert (found.verdict, found.layout, found.target) == ("leave", "", None)
    assert "does not pay" in found.reason
    assert found.pass_seconds > 0


def wide():
    """Return figures by which the CPUs are the bottleneck, and all memory is alike."""
    figures = bandwidth(100, 100)
    read = figures.read * np.array([[1.0], [1000.0]])
    return replace(figures, read=read)


def test_figures_of_other_nodes_say_nothing(ask):
    other = bandwidth()
    other = replace(other, memory_nodes=(0, 5, 6))
    found = ask(subject(), TWO, figures=other)
    assert (found.verdict, found.pass_seconds, found.passes) == ("move", None, None)


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
    mine, theirs = lying([(0, 1024)]), lying([(1, 900)])
    assert "each thread's own" in wish(mine, BOUND, theirs).reason
    assert "each thread's own" in wish(theirs, BOUND, mine).reason
    assert wish(mine, BOUND).layout == wish(mine, BOUND, lying([(1, 90)])).layout == "blocks:0,1"
    # Divided memory beside it is no thread's own.
    assert wish(mine, BOUND, lying([(0, 512), (1, 512)])).layout == "blocks:0,1"


def test_binding_is_weighed_too(ask):
    free = [thread(BOTH)] * 2
    # Far memory is as fast, so two nodes give more than one.
    found = ask(subject(), free, figures=bandwidth(100, 99))
    assert (found.verdict, found.near) == ("leave", 0.5)
    assert "does not pay" in found.reason
    found = ask(subject(), free, figures=bandwidth(100, 10))
    assert found.verdict == "bind"
    assert found.pass_seconds_after < found.pass_seconds


def test_threads_that_share_cores_do_not_fit_on_one_node(ask, monkeypatch):
    monkeypatch.setattr(wishes_free, "count_cores", lambda cpus: len(cpus) // 2)
    assert ask(subject(), [thread(BOTH)] * 2).layout == "interleave:0,1"


def test_balancing_does_not_give_nodes_turns(ask):
    found = ask(subject(balanced=True), FREE, balancing=True)
    assert found.verdict == "leave"
    assert "would not leave pages in turns" in found.reason


def test_firmware_tells_faster_memory(tmp_path):
    two = machine(tmp_path)

    def machine_with(*speeds):
        nodes = {
            each: replace(node, access={1: mp.Access((1,), speed, None, None, None)})
            for (each, node), speed in zip(two.nodes.items(), speeds, strict=True)
        }
        return replace(two, nodes=nodes)

    assert nodes_near(machine_with(100, 100, 300), 1) == {1, 2}
    assert nodes_near(machine_with(100, 100, 50), 1) == {1}
    assert nodes_near(machine_with(100, None, 300), 1) == {1}
