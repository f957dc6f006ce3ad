"""allocating(): arrays of numpy from a heap with a policy."""

import asyncio
import contextvars
import gc
import random
import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import movepages as mp
from interruptions import collected
from movepages import _core
from support import memory, processes

PAGE = memory.PAGE
NODE = mp.topology().allowed_nodes[0]
NOT_A_NODE = max(mp.topology().nodes) + 1


def is_bound(a):
    return [(each.mode.name, each.nodes) for each in mp.policy(a)] == [("BIND", (NODE,))]


def mapped_bytes():
    with open("/proc/self/statm", encoding="ascii") as fields:
        return int(fields.read().split()[0]) * PAGE


@pytest.mark.parametrize("count", [0, 1, 100, 5_000, 100_000, 3_000_000])
@pytest.mark.parametrize("make", [np.ones, np.zeros, np.empty, np.arange])
def test_numpy_allocates_from_the_heap(make, count):
    before = np.ones(50_000)
    with mp.allocating(NODE):
        a = make(count)
        b = a + 1
    assert is_bound(b[:1] if count else memory_of(b))
    assert count == 0 or is_bound(a)
    assert not is_bound(before)
    assert not is_bound(np.ones(50_000))


def memory_of(a):
    """Return the page of an array that has no bytes, but has memory."""
    return mp.Region(a.ctypes.data // PAGE * PAGE, PAGE)


def test_zeros_are_zero_in_reused_memory():
    with mp.allocating(NODE):
        for count in (7, 3_000, 50_000, 200_000):
            for _ in range(3):
                np.full(count, 7.0)
            assert (np.zeros(count) == 0).all()


@pytest.mark.parametrize("count", [100_000, 2_000_000])
def test_freed_memory_is_reused_for_the_same_size(count):
    with mp.allocating(NODE):
        address = np.ones(count).ctypes.data
        assert np.ones(count).ctypes.data == address


def test_memory_kept_for_reuse_is_bounded():
    size = 3 << 20
    with mp.allocating(NODE):
        one = np.ones(1)
        # Memory that earlier tests have left in cycles would be freed meanwhile.
        gc.collect()
        before = mapped_bytes()
        many = [np.empty(size + i * PAGE, np.uint8) for i in range(100)]
        assert mapped_bytes() - before >= 100 * size
        many.clear()
        assert mapped_bytes() - before <= 64 << 20
        large = np.ones(100 << 20, np.uint8)
        del large
        assert mapped_bytes() - before <= 64 << 20
    del one


def test_memory_is_freed_with_the_last_array():
    def growth():
        before = mapped_bytes()
        with mp.allocating(NODE):
            kept = [np.ones(n) for n in (1, 10, 300, 2_000, 40_000, 1_000_000)]
        view = kept[-1][::2]
        kept.clear()
        gc.collect()
        assert (view == 1).all()
        assert is_bound(view)
        del view
        gc.collect()
        return mapped_bytes() - before

    # Python's own memory grows now and then, and what is not freed stays each time.
    with collected():
        assert min(growth() for _ in range(4)) <= 1 << 20


def test_ten_thousand_arrays_leak_nothing():
    with mp.allocating(NODE):
        kept = np.ones(1)
        before = None
        for i in range(10_000):
            a = np.ones(random.Random(i).choice([3, 700, 4_000, 9_000]))
            before = before or mapped_bytes()
        assert (a == 1).all()
    assert mapped_bytes() - before <= 2 << 20
    del kept


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.host) for seed in (1, 2, 3))]
)
def test_contents_survive_any_order_of_making_resizing_and_dropping(seed):
    rng = random.Random(seed)
    sizes = [0, 1, 63, 64, 65, 4_096, 30_000, 32_768, 32_769, 100_000, 5 << 20]
    alive = {}
    with mp.allocating(NODE):
        for tag in range(600):
            what = rng.random()
            if what < 0.5 or not alive:
                a = np.full(rng.choice(sizes), tag % 251, np.uint8)
                alive[tag] = (a, len(a))
            elif what < 0.75:
                old = rng.choice(list(alive))
                a, held = alive[old]
                size = rng.choice(sizes)
                a.resize(size, refcheck=False)
                alive[old] = (a, min(held, size))
            else:
                alive.pop(rng.choice(list(alive)))
            if tag % 20 == 0:
                for made, (a, held) in alive.items():
                    assert (a[:held] == made % 251).all()
                    assert (a[held:] == 0).all()
        for a, _ in alive.values():
            assert a.ctypes.data % 64 == 0
            assert len(a) == 0 or is_bound(a)


def test_arrays_of_the_heap_do_not_overlap():
    with mp.allocating(NODE):
        arrays = [np.empty(n % 700 + 1, np.uint8) for n in range(5_000)]
    order = sorted(arrays, key=lambda a: a.ctypes.data)
    ends = np.array([a.ctypes.data + a.nbytes for a in order])
    assert (ends[:-1] <= np.array([a.ctypes.data for a in order])[1:]).all()


def test_blocks_nest_and_end_with_an_exception():
    with mp.allocating(NODE, mode="preferred"):
        with pytest.raises(ZeroDivisionError), mp.allocating(NODE):
            1 // int(np.ones(9)[0] - is_bound(np.ones(9)))
        assert mp.policy(np.ones(9))[0].mode == mp.PolicyMode.PREFERRED
    assert not is_bound(np.ones(9))


def test_as_a_decorator():
    @mp.allocating(NODE)
    def compute():
        return np.ones(100)

    assert is_bound(compute())
    assert is_bound(compute())
    assert not is_bound(np.ones(100))


def test_block_holds_in_its_own_context():
    ready, done = threading.Barrier(3), threading.Barrier(3)
    found = {}

    def other(context):
        ready.wait()
        found[context] = is_bound(np.ones(40_000))
        done.wait()

    with mp.allocating(NODE):
        copied = contextvars.copy_context()
    threads = [
        threading.Thread(target=contextvars.Context().run, args=(other, "new")),
        threading.Thread(target=copied.run, args=(other, "copied")),
    ]
    for thread in threads:
        thread.start()
    with mp.allocating(NODE):
        ready.wait()
        done.wait()
    for thread in threads:
        thread.join()
    assert found == {"new": False, "copied": True}


def test_threads_share_one_heap():
    with mp.allocating(NODE):
        context = contextvars.copy_context()
    wrong = []

    def churn(tag):
        rng, alive = random.Random(tag), []
        for _ in range(400):
            alive.append(np.full(rng.choice([5, 500, 5_000, 20_000]), tag))
            if len(alive) > 20:
                a = alive.pop(rng.randrange(20))
                if not (a == tag).all():
                    wrong.append(tag)

    threads = [
        threading.Thread(target=context.copy().run, args=(churn, tag)) for tag in range(1, 5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_arrays_dropped_by_another_thread():
    with mp.allocating(NODE):
        arrays = [np.full(i % 9_000, i) for i in range(300)]
        thread = threading.Thread(target=arrays.clear)
        thread.start()
        thread.join()
        assert (np.ones(5_000) == 1).all()


def test_tasks_do_not_disturb_each_other():
    async def inside():
        with mp.allocating(NODE):
            await asyncio.sleep(0)
            return is_bound(np.ones(9))

    async def outside():
        found = []
        for _ in range(4):
            found.append(is_bound(np.ones(9)))
            await asyncio.sleep(0)
        return found

    async def both():
        return await asyncio.gather(inside(), outside(), inside())

    assert asyncio.run(both()) == [True, [False] * 4, True]


def test_child_can_use_and_free_the_arrays():
    with mp.allocating(NODE):
        arrays = [np.full(n, n) for n in (10, 10_000)]

        def use_them():
            assert all((a == len(a)).all() for a in arrays)
            arrays.append(np.ones(20_000))
            there = is_bound(arrays[-1])
            arrays.clear()
            return there

        assert processes.run_as(None, use_them)
        assert_array_equal(arrays[1], np.full(10_000, 10_000))


def test_objects_and_functions_that_grow_their_array():
    with mp.allocating(NODE):
        objects = np.array([{"a": 1}, [2], "three"] * 4_000, object)
        grown = np.fromiter((i for i in range(100_000)), np.int64)
        joined = np.concatenate([grown, grown])
    assert objects[-1] == "three"
    assert_array_equal(joined, np.tile(np.arange(100_000), 2))
    assert is_bound(grown)
    assert is_bound(joined)


def test_huge_pages_are_requested_from_4_mib_on():
    if not memory.huge_page_size():
        pytest.skip("needs transparent huge pages")
    with mp.allocating(NODE):
        a = np.ones(max(8 << 20, memory.huge_page_size()), np.uint8)
        small = np.ones(3 << 20, np.uint8)
    with mp.allocating(NODE, huge=None):
        b = np.ones(8 << 20, np.uint8)
    assert [flags_of(each) for each in (a, small, b)] == [True, False, False]
    assert a.ctypes.data % memory.huge_page_size() == 0


def flags_of(a):
    """Return whether the mapping that an array begins in asks for huge pages."""
    inside = False
    with open("/proc/self/smaps", encoding="utf-8") as lines:
        for line in lines:
            first = line.split(maxsplit=1)[0]
            if "-" in first and not first.endswith(":"):
                start, end = (int(part, 16) for part in first.split("-"))
                inside = start <= a.ctypes.data < end
            elif inside and first == "VmFlags:":
                return "hg" in line.split()
    raise AssertionError("the array is not mapped")


def test_memory_error_leaves_the_block_usable():
    with mp.allocating(NODE):
        with pytest.raises(MemoryError):
            np.empty(1 << 60, np.uint8)
        assert is_bound(np.ones(3))


@pytest.mark.parametrize(
    ("node", "how", "error", "words"),
    [
        (NOT_A_NODE, {}, mp.MovePagesError, str(NOT_A_NODE)),
        (-1, {}, mp.MovePagesError, "-1"),
        ([], {}, ValueError, "one node or more"),
        ([NODE], {"mode": "bound"}, ValueError, "'bound'"),
        (NODE, {"mode": "local"}, ValueError, "no nodes"),
        (NODE, {"huge": "hugetlb"}, ValueError, "'hugetlb'"),
        ("0", {}, TypeError, "nodes"),
    ],
)
def test_invalid_arguments_are_rejected_on_entry(node, how, error, words):
    with pytest.raises(error, match=words), mp.allocating(node, **how):
        pytest.fail("the block was entered")
    assert not is_bound(np.ones(3))


def test_core_rejects_nodes_beyond_its_limit():
    with pytest.raises(ValueError, match="MAX_NODES"):
        _core.Heap(2, np.array([_core.MAX_NODES], np.int32), 0)
