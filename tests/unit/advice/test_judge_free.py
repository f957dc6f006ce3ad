"""What is advised where threads may run on several nodes, and where the kernel balances."""

import pytest

import movepages as mp
import sysfs_fixtures as fake
from advice_fixtures import (
    BOTH,
    BOUND,
    FREE,
    GIB_KB,
    TWO,
    bandwidth,
    divided_sockets,
    lying,
    subject,
    thread,
)
from movepages.advice import wishes_free
from movepages.advice.totals import totals_of
from movepages.advice.use import use_of
from movepages.advice.wishes import wish_for
from movepages.system.topology_reader import topology

pytestmark = pytest.mark.skipif(0 not in mp.topology().allowed_nodes, reason="needs node 0")


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
    assert "would not keep pages in interleave" in found.reason


def test_what_the_kernel_balances_is_left_to_it(ask):
    found = ask(subject(balanced=True), TWO, balancing=True)
    assert found.verdict == "leave"
    assert "automatic balancing is on" in found.reason
    assert "the pages belong on node 1" in found.reason
    alone = ask(subject(balanced=True), [thread(BOTH, last=2)], balancing=True)
    assert "binding the threads to the CPUs of node 0 brings them near it at once" in alone.reason
    copies = ask(subject(balanced=True, read_only=True), BOUND, balancing=True)
    assert "replicate:0,1 gives each node a copy at once" in copies.reason
    assert ask(subject(balanced=False), TWO, balancing=True).verdict == "move"
    assert ask(subject(balanced=True), TWO).verdict == "move"
