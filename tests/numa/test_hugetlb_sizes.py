"""Pages of hugetlbfs of each size, by each engine: on arm64, several fill a huge page's place."""

import ctypes
import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import movepages as mp
from movepages._core import HUGE_PAGE_BYTES
from support import memory, nodes, system
from support.kinds import CannotMakeError
from support.kinds_kernel import settings
from support.sandboxes import engine

COUNT = 16
_MAP_FIXED, _MAP_HUGETLB = 0x10, 0x40000
_MAP_HUGE_SHIFT = 26
_MADV_POPULATE_WRITE = 23
_POOLS = Path("/sys/kernel/mm/hugepages")
# Larger pages can only be reserved when the machine boots.
_LARGEST = 64 << 20
SIZES = sorted(
    size
    for pool in _POOLS.glob("hugepages-*kB")
    if (size := int(pool.name[len("hugepages-") : -len("kB")]) * 1024) <= _LARGEST
)


@pytest.fixture(params=SIZES)
def pages(request: pytest.FixtureRequest, two_nodes, need_root) -> Iterator[tuple[np.ndarray, int]]:
    """Yield memory in pages of hugetlbfs on the first node, and the size of a page."""
    size = request.param
    whole = COUNT * size
    count = f"hugepages/hugepages-{size // 1024}kB/nr_hugepages"
    pools = [nodes.SYSFS / f"node{node}" / count for node in two_nodes]
    unit = max(size, HUGE_PAGE_BYTES)
    room = whole + unit
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    base = system.libc.mmap(None, room, 0, flags, -1, 0)
    start = -(-base // unit) * unit
    flags |= _MAP_FIXED | _MAP_HUGETLB | size.bit_length() - 1 << _MAP_HUGE_SHIFT
    try:
        with settings(dict.fromkeys(pools, str(COUNT))):
            if system.libc.mmap(start, whole, 3, flags, -1, 0) != start:
                pytest.skip(f"needs {COUNT} pages of hugetlbfs of {size:,} bytes")
            array = np.ctypeslib.as_array((ctypes.c_uint8 * whole).from_address(start))
            memory.bind(array, two_nodes[0])
            mapped = system.libc.madvise(start, whole, _MADV_POPULATE_WRITE)
            if mapped == 0:
                yield array, size
            system.succeed(system.libc.munmap(start, whole))
            if mapped != 0:
                pytest.skip(f"needs {COUNT} free pages of {size:,} bytes on a node")
    except CannotMakeError as error:
        pytest.skip(f"needs pools of hugetlbfs: {error}")
    finally:
        system.libc.munmap(base, room)


def nodes_of(array, size):
    return mp.move_pages(memory.pages_of(array, size)).tolist()


@pytest.mark.parametrize("by", ["move_pages", "policy"])
def test_each_page_moves_by_itself(pages, two_nodes, by):
    array, size = pages
    here, there = two_nodes[:2]
    assert nodes_of(array, size) == [here] * COUNT
    with engine(by):
        r = mp.move(array[4 * size : 5 * size], there)
    assert (r.ok, r.moved) == (True, size // memory.PAGE)
    assert nodes_of(array, size) == [here] * 4 + [there] + [here] * (COUNT - 5)
    with engine(by):
        r = mp.move(array, mp.interleave([here, there], block=size))
    assert r.ok
    assert nodes_of(array, size) == [here, there] * (COUNT // 2)
