"""Memory that a call allocates is freed, whether the call succeeds, fails or is refused."""

import gc
import mmap
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import movepages as mp
from support.memory import UNMAPPED

# Thousands of rounds, with the same outcome on every kernel.
pytestmark = pytest.mark.host

PAGE = mp.topology().page_size
# Rounds before anything is counted: caches fill, and the allocator reaches its steady size.
WARM_UP = 200
ROUNDS = 100
# Free lists of Python and numpy fill for a while; a leak grows in every stretch of rounds.
STRETCHES = 10
# One block leaked in each round adds up to ROUNDS.
BLOCKS_ALLOWED = ROUNDS // 2
# Pages of a call: they take 64 KiB of nodes or statuses, and twice that of addresses. One such
# buffer leaked in each round adds up to 6.5 MB.
MANY = 1 << 14
GROWTH_ALLOWED = 3_000_000
# Unmapped addresses are the quickest to query.
NOWHERE = np.zeros(MANY, np.uintp)


@pytest.fixture(autouse=True)
def _only_what_is_new_is_collected():
    """Keep the many collections from looking at all older objects."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def memory():
    return np.ones(16 * PAGE, np.uint8)


@pytest.fixture(scope="module")
def pages(memory):
    start = memory.ctypes.data
    return np.arange(start, start + memory.nbytes, PAGE, dtype=np.uintp)


@pytest.fixture(scope="module")
def node():
    return mp.topology().allowed_nodes[0]


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


def open_files():
    return len(os.listdir("/proc/self/fd"))


def raised(error, call, *args, **kwargs):
    """Make a call that must fail, and drop the exception."""
    try:
        call(*args, **kwargs)
    except error:
        return
    pytest.fail(f"{call.__name__} did not raise {error.__name__}")


def read_only(array):
    array.flags.writeable = False
    return array


def calls(pages, memory, node):
    """Return the calls to repeat, by name."""
    n = len(pages)
    each = np.full(n, node, np.int32)
    status = np.empty(n, np.int32)
    unaligned = np.zeros(4 * n + 1, np.uint8)[1:].view(np.int32)
    move, refused, failed = mp.move_pages, (TypeError, ValueError, OverflowError), mp.MovePagesError
    bad_status = {
        "dtype": np.empty(n, np.int64),
        "list": [0] * n,
        "length": np.empty(n - 1, np.int32),
        "stride": np.empty(2 * n, np.int32)[::2],
        "dimensions": np.empty((n, 1), np.int32),
        "alignment": unaligned,
        "read-only": read_only(np.empty(n, np.int32)),
        "overlap": pages.view(np.int32)[:n],
    }
    bad_pages = {"float": [1.5], "huge": [2**64], "float64": np.ones(1), "2-d": [[1]], "int": 5}
    bad_nodes = {"bool": True, "float": 0.5, "length": each[1:], "huge": np.full(n, 2**31)}
    return {
        "query": lambda: move(pages),
        "query of a list": lambda: move(pages.tolist()),
        "query in place": lambda: move(pages, None, status),
        "move to one node": lambda: move(pages, node),
        "move to a node each": lambda: move(pages, each, status),
        "move of no pages": lambda: move([], node),
        "where": lambda: mp.where(memory),
        "where of a buffer": lambda: mp.where(memoryview(memory)),
        "where of nothing": lambda: raised(TypeError, mp.where, 5),
        "move an array": lambda: mp.move(memory, node),
        "move back": lambda: mp.move(memory, mp.where(memory)),
        "move to no node": lambda: raised(failed, mp.move, memory, 1023),
        "move to too few": lambda: raised(ValueError, mp.move, memory, each[:3]),
        "topology": mp.topology,
        "mempolicy_nodes": lambda: mp.mempolicy_nodes(pages),
        "node that is none": lambda: raised(failed, move, pages, 1023),
        "one node that is none": lambda: raised(failed, move, pages, [*each[1:].tolist(), 1023]),
        "unknown flag": lambda: raised(failed, move, pages, node, flags=64),
        "no process": lambda: raised(failed, move, pages, pid=-1),
        "pid that is none": lambda: raised(TypeError, move, pages, pid="0"),
        "flags that are none": lambda: raised(TypeError, move, pages, flags=1.0),
        "unknown status": lambda: raised(ValueError, mp.PageStatus, -5000),
        "status seen first": lambda: mp.PageStatus(-77),
    } | {
        f"{name}: {kind}": (lambda args=args: raised(refused, move, *args))
        for name, kinds in {
            "status": {kind: (pages, None, given) for kind, given in bad_status.items()},
            "pages": {kind: (given,) for kind, given in bad_pages.items()},
            "nodes": {kind: (pages, given) for kind, given in bad_nodes.items()},
        }.items()
        for kind, args in kinds.items()
    }


def large_calls(node):
    """Return the calls to repeat, by name, with buffers that show in the size of the process."""
    each = np.full(MANY, node, np.int32)
    bad = np.full(MANY, 1023, np.int32)
    region = mp.Region(UNMAPPED, MANY * PAGE)
    return {
        "query": lambda: mp.move_pages(NOWHERE),
        "move to one node": lambda: mp.move_pages(NOWHERE, node),
        "move to a node each": lambda: mp.move_pages(NOWHERE, each),
        "mempolicy_nodes": lambda: mp.mempolicy_nodes(NOWHERE),
        "where": lambda: mp.where(region),
        "move": lambda: mp.move(region, node),
        "node that is none": lambda: raised(mp.MovePagesError, mp.move_pages, NOWHERE, bad),
        "no process": lambda: raised(mp.MovePagesError, mp.move_pages, NOWHERE, pid=-1),
        "status: list": lambda: raised(TypeError, mp.move_pages, NOWHERE.astype(int), None, []),
    }


def repeat(call, rounds):
    for _ in range(rounds):
        call()
    gc.collect()


def growth(call, measure, allowed):
    """Return the least growth in a stretch of rounds; stop once it is no more than allowed."""
    repeat(call, WARM_UP)
    least = sys.maxsize
    for _ in range(STRETCHES):
        before = measure()
        repeat(call, ROUNDS)
        least = min(least, measure() - before)
        if least <= allowed:
            break
    return least


def test_python_objects(pages, memory, node):
    for name, call in calls(pages, memory, node).items():
        grown = growth(call, sys.getallocatedblocks, BLOCKS_ALLOWED)
        assert grown <= BLOCKS_ALLOWED, f"{name}: {grown} blocks in {ROUNDS} rounds"


def test_open_files(pages, memory, node):
    for name, call in calls(pages, memory, node).items():
        before = open_files()
        repeat(call, 3)
        assert open_files() == before, name


def test_size_of_the_process(node):
    for name, call in large_calls(node).items():
        grown = growth(call, resident_bytes, GROWTH_ALLOWED)
        assert grown <= GROWTH_ALLOWED, f"{name}: {grown} bytes in {ROUNDS} rounds"


def leak(asked, measure):
    """Keep a result in every round; return by how much the measure grows."""
    kept = []
    repeat(lambda: kept.append(mp.move_pages(asked)), ROUNDS)
    before = measure()
    repeat(lambda: kept.append(mp.move_pages(asked)), STRETCHES * ROUNDS)
    return measure() - before


def test_a_leak_of_objects_is_found(pages):
    """Check the measurement itself: a result kept in every round is more than is allowed."""
    assert leak(pages, sys.getallocatedblocks) > STRETCHES * BLOCKS_ALLOWED / 2


def test_a_leak_of_memory_is_found():
    # In a process of its own: here, what earlier tests have freed would be used up first.
    folders = [str(each) for each in Path(__file__).parents[:2]]
    code = (
        f"import sys; sys.path[:0] = {folders}\n"
        "import test_leaks as t; print(t.leak(t.NOWHERE, t.resident_bytes))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) > STRETCHES * GROWTH_ALLOWED / 2
