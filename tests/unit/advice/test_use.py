"""Which threads count as users of memory, and on which nodes they are."""

import os

import pytest

import movepages as mp
from advice_fixtures import FIRST, SECOND, machine, thread
from movepages.advice.use import Kind, use_of, use_of_cpus
from movepages.processes.thread_use import read_thread_use

BOTH = FIRST + SECOND


@pytest.fixture
def two(tmp_path):
    return machine(tmp_path)


@pytest.mark.parametrize(
    ("threads", "kind", "order"),
    [
        ([thread(FIRST)], Kind.ONE_NODE, (0,)),
        ([thread(SECOND), thread((3,))], Kind.ONE_NODE, (1,)),
        ([thread((0,)), thread((2,))], Kind.BOUND, (0, 1)),
        ([thread((2,)), thread((0,)), thread((1,)), thread((3,))], Kind.BOUND, (0, 1)),
        ([thread((2,)), thread((3,)), thread((1,))], Kind.BOUND, (0, 1, 1)),
        ([thread(BOTH, last=2)], Kind.FREE_ALONE, (1,)),
        ([thread(BOTH), thread(BOTH)], Kind.FREE, (0, 1)),
        ([thread((0, 1, 2)), thread((0, 1, 2))], Kind.FREE, (0, 0, 1)),
        ([thread((2,)), thread(BOTH), thread(BOTH)], Kind.FREE, (0, 1, 1)),
    ],
)
def test_threads_are_sorted_into_kinds(two, threads, kind, order):
    use = use_of(two, threads)
    assert (use.kind, use.order, use.threads) == (kind, order, tuple(threads))
    assert sum(use.shares.values()) == pytest.approx(1)
    assert sorted(use.shares) == use.nodes == sorted({*order})


def test_helpers_that_hardly_ran_do_not_count(two):
    busy, helper = thread(FIRST, 10), thread(BOTH, 0.05)
    assert use_of(two, [busy, helper]).threads == (busy,)
    # A single bound helper, such as one that waits for messages, says nothing either.
    assert use_of(two, [thread(BOTH, 10, last=0), thread(SECOND, 0.01)]).kind is Kind.FREE_ALONE


def test_workers_count_that_somebody_has_bound(two):
    starter = thread(BOTH, 10)
    workers = [thread((0,), 0.01), thread((3,), 0.0)]
    assert use_of(two, [starter, *workers]).threads == tuple(workers)
    assert use_of(two, [starter, thread((2,), 5)]).order == (1,)
    # They may have begun, but with much less time than who started them.
    young = [thread((0,), 0.2), thread((2,), 0.2)]
    assert use_of(two, [starter, *young]).threads == tuple(young)
    # Those of long ago that still have no CPU time are helpers, and so is one with little.
    idle = [thread((2,), 0.0, age=1000.0)] * 2
    assert use_of(two, [thread(BOTH, 1000, last=0), *idle]).kind is Kind.FREE_ALONE
    assert use_of(two, [starter, thread((2,), 0.2)]).kind is Kind.FREE
    # As those of BLAS libraries, which wait in a loop when a process starts.
    waiting = thread(BOTH, 0.2)
    assert use_of(two, [thread(BOTH, 0.3, last=0), waiting, waiting]).kind is Kind.FREE_ALONE
    assert use_of(two, [starter, waiting, *workers]).threads == tuple(workers)
    # More free threads than bound ones are no starters.
    assert use_of(two, [starter, starter, thread((2,), 5)]).kind is Kind.FREE


def test_threads_on_unknown_cpus_are_no_users(two):
    assert use_of(two, [thread((99,))]) is None
    assert use_of(two, [thread((99,)), thread(FIRST)]).order == (0,)


def test_cpus_name_the_users_in_the_order_of_their_parts(two):
    use = use_of_cpus(two, [3, 0, 2])
    assert (use.kind, use.order) == (Kind.BOUND, (1, 0, 1))
    assert use_of_cpus(two, (2, 3)).kind is Kind.ONE_NODE
    assert use_of_cpus(two, [0, 1, 2, 3, 1, 0]).order == (0, 1, 0)
    with pytest.raises(ValueError, match="7 is not a CPU of any node, expected some of 0-3"):
        use_of_cpus(two, [0, 7])
    with pytest.raises(ValueError, match="got none"):
        use_of_cpus(two, [])


def test_many_threads_become_few_parts(two):
    use = use_of(two, [thread((0,))] * 600 + [thread((2,))] * 601)
    assert len(use.order) == 256
    assert use.shares[0] == pytest.approx(600 / 1201, abs=0.01)


def test_use_in_words(two):
    assert str(use_of(two, [thread(FIRST)])) == "1 thread on node 0"
    assert str(use_of(two, [thread(BOTH, last=2)])).endswith("last on node 1")
    bound = str(use_of(two, [thread((0,)), thread((2,))]))
    assert bound == "2 threads, each bound to one node (node 0 50%, node 1 50%)"
    assert str(use_of(two, [thread(BOTH)] * 2)) == "2 threads, free to run on nodes 0-1"


def test_threads_of_this_process_as_proc_tells():
    (mine,) = (each for each in read_thread_use(os.getpid()) if each.tid == os.getpid())
    assert set(mine.cpus) == os.sched_getaffinity(os.getpid())
    assert mine.seconds > 0
    assert mine.last_cpu >= 0
    with open("/proc/self/comm") as comm:
        assert mine.name == comm.read().rstrip("\n")
    with pytest.raises(mp.MovePagesLookupError, match="no process 4194305"):
        read_thread_use(4194305)
