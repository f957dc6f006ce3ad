"""first_touch() sets the policy of one thread, and puts back what it was in every case."""

import asyncio
import itertools
import os
import threading

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from support import policies, system
from support.forks import fork

NODE = mp.topology().allowed_nodes[0]
NOT_A_NODE = max(mp.topology().nodes) + 1
BOUND = (system.MPOL_BIND, (NODE,))
PREFERRED = (system.MPOL_PREFERRED, (NODE,))


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"node": NODE}, BOUND),
        ({"nodes": [NODE]}, BOUND),
        ({"nodes": (NODE,), "mode": "interleave"}, (system.MPOL_INTERLEAVE, (NODE,))),
        ({"node": NODE, "mode": "preferred"}, PREFERRED),
        ({"mode": "local"}, (system.MPOL_LOCAL, ())),
        ({"mode": "default"}, (system.MPOL_DEFAULT, ())),
    ],
)
def test_policy_within_the_block_and_after_it(how, told):
    outside = policies.of_thread()
    with mp.first_touch(**how):
        assert policies.of_thread() == told
    assert policies.of_thread() == outside


# MPOL_F_STATIC_NODES
@pytest.mark.parametrize("mode", [system.MPOL_INTERLEAVE, system.MPOL_BIND | 1 << 15])
def test_a_policy_of_the_threads_own_comes_back_with_its_flags(mode):
    with policies.thread_has(mode, NODE):
        with mp.first_touch(NODE, mode="preferred"):
            assert policies.of_thread() == PREFERRED
        assert policies.of_thread() == (mode, (NODE,))


def test_an_exception_ends_the_block():
    outside = policies.of_thread()
    with pytest.raises(KeyError), mp.first_touch(NODE):
        raise KeyError
    assert policies.of_thread() == outside


def test_nested_blocks():
    outside = policies.of_thread()
    with mp.first_touch(NODE):
        with mp.first_touch(NODE, mode="preferred"):
            assert policies.of_thread() == PREFERRED
        assert policies.of_thread() == BOUND
    assert policies.of_thread() == outside


def test_the_decorator_makes_a_block_for_each_call():
    @mp.first_touch(NODE)
    def work(depth):
        assert policies.of_thread() == BOUND
        if depth:
            work(depth - 1)
        return policies.of_thread()

    outside = policies.of_thread()
    assert work(2) == BOUND
    assert policies.of_thread() == outside


def test_generators_and_coroutines_cannot_be_decorated():
    def generator():
        yield

    async def coroutine():
        pass

    async def both():
        yield

    for function in (generator, coroutine, both):
        with pytest.raises(TypeError, match=r"cannot decorate .* without yield or await"):
            mp.first_touch(NODE)(function)


def test_other_tasks_of_the_thread_see_the_policy_while_a_block_waits():
    async def inside():
        with mp.first_touch(NODE):
            await asyncio.sleep(0)

    async def main():
        task = asyncio.create_task(inside())
        await asyncio.sleep(0)
        found = policies.of_thread()
        await task
        return found

    outside = policies.of_thread()
    assert asyncio.run(main()) == BOUND
    assert policies.of_thread() == outside


def test_running_threads_keep_their_policy_and_new_ones_inherit():
    found = {}
    start, end = threading.Event(), threading.Event()

    def older():
        start.wait()
        found["older"] = policies.of_thread()
        end.set()

    def newer():
        found["newer"] = policies.of_thread()

    outside = policies.of_thread()
    thread = threading.Thread(target=older)
    thread.start()
    with mp.first_touch(NODE):
        start.set()
        end.wait()
        second = threading.Thread(target=newer)
        second.start()
        second.join()
    thread.join()
    assert found == {"older": outside, "newer": BOUND}


def test_another_thread_cannot_leave_the_block():
    outside, told = policies.of_thread(), []
    block = mp.first_touch(NODE)
    block.__enter__()

    def leave():
        try:
            block.__exit__(None, None, None)
        except RuntimeError as error:
            told.append(str(error))

    thread = threading.Thread(target=leave)
    thread.start()
    thread.join()
    assert "entered in another thread" in told[0]
    assert policies.of_thread() == BOUND
    block.__exit__(None, None, None)
    assert policies.of_thread() == outside


def test_a_forked_child_leaves_the_block():
    outside = policies.of_thread()
    block = mp.first_touch(NODE)
    block.__enter__()
    child = fork()
    if child == 0:
        block.__exit__(None, None, None)
        os._exit(policies.of_thread() != outside)
    block.__exit__(None, None, None)
    assert os.waitpid(child, 0)[1] == 0


def test_a_block_is_entered_once():
    block = mp.first_touch(NODE)
    for _ in range(2):
        if policies.of_thread() != BOUND:
            block.__enter__()
        with pytest.raises(RuntimeError, match="make another one"):
            block.__enter__()
    block.__exit__(None, None, None)
    with pytest.raises(RuntimeError, match="make another one"):
        block.__enter__()
    block.__exit__(None, None, None)


def test_blocks_left_or_dropped_in_any_order():
    outside = policies.of_thread()
    for order in itertools.permutations(range(3)):
        for leave in (_core.FirstTouch.__exit__, lambda *_: None):
            blocks = [mp.first_touch(NODE, mode=mode) for mode in ("bind", "preferred", "bind")]
            for block in blocks:
                block.__enter__()
            for place in order:
                leave(blocks[place], None, None, None)
                blocks[place] = block = None
                if blocks[2] is not None:
                    assert policies.of_thread() == BOUND
            assert policies.of_thread() == outside, order


def test_interleaved_generators_put_the_policy_back():
    def generator(mode):
        with mp.first_touch(NODE, mode=mode):
            yield policies.of_thread()

    outside = policies.of_thread()
    one, two = generator("bind"), generator("preferred")
    assert (next(one), next(two)) == (BOUND, PREFERRED)
    one.close()
    assert policies.of_thread() == PREFERRED
    two.close()
    assert policies.of_thread() == outside


def test_a_block_dropped_by_another_thread_leaves_that_thread_alone():
    outside, kept = policies.of_thread(), []

    def enter():
        block = mp.first_touch(NODE)
        block.__enter__()
        kept.append(block)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    with policies.thread_has(BOUND[0], NODE):
        kept.clear()
        assert policies.of_thread() == BOUND
    assert policies.of_thread() == outside


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ({"node": NODE, "nodes": [NODE]}, ValueError, "got both"),
        ({"node": NODE, "mode": "nearby"}, ValueError, "mode: expected one of 'default'"),
        ({}, ValueError, "takes one node or more"),
        ({"node": NODE, "mode": "local"}, ValueError, "takes no nodes"),
        ({"node": NOT_A_NODE}, mp.MovePagesError, "is not a node of this machine"),
        ({"node": 0.5}, TypeError, "nodes: expected"),
    ],
)
def test_invalid_arguments(how, error, said):
    with pytest.raises(error, match=said):
        mp.first_touch(**how)


@pytest.mark.parametrize(
    ("mode", "code", "error", "said"),
    [
        ("bind", 1, PermissionError, "a sandbox forbids set_mempolicy"),
        ("bind", 38, mp.MovePagesUnsupportedError, "CONFIG_NUMA"),
        ("bind", 22, mp.MovePagesValueError, "Invalid argument"),
        ("weighted", 22, mp.MovePagesUnsupportedError, "needs Linux 6.9"),
    ],
)
def test_refusals_of_the_kernel(mode, code, error, said):
    from movepages.memory.first_touch import _set_mempolicy_failed
    from movepages.memory.policy_modes import as_policy

    number, _ = as_policy([NODE], mode)
    assert isinstance(_set_mempolicy_failed(number, code), error)
    assert said in str(_set_mempolicy_failed(number, code))


def test_a_mode_that_the_kernel_refuses_leaves_the_policy_as_it_was():
    outside, nodes = policies.of_thread(), np.array([NODE], np.int32)
    block = _core.FirstTouch(99, nodes, lambda code: KeyError(code))
    with pytest.raises(KeyError, match="22"):
        block.__enter__()
    assert policies.of_thread() == outside
    block.__exit__(None, None, None)
    with pytest.raises(TypeError, match="made no exception"):
        _core.FirstTouch(99, nodes, str).__enter__()


def test_a_block_dropped_elsewhere_ends_with_the_next_one():
    outside, kept, found = policies.of_thread(), [], []
    entered, dropped = threading.Event(), threading.Event()

    def work():
        kept.append(mp.first_touch(NODE))
        kept[0].__enter__()
        with mp.first_touch(NODE, mode="preferred"):
            entered.set()
            dropped.wait()
            found.append(policies.of_thread())
        found.append(policies.of_thread())

    thread = threading.Thread(target=work)
    thread.start()
    entered.wait()
    kept.clear()
    dropped.set()
    thread.join()
    assert found == [PREFERRED, outside]
