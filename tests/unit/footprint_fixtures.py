"""Compares a footprint with a brute-force list of every byte address."""

import itertools
import mmap
from collections import Counter

from movepages.pages.footprint import Footprint

BASE = 0x7F0000000000


def brute_bytes(address, shape, strides, itemsize):
    """Return every distinct byte address."""
    starts = (
        address + sum(i * s for i, s in zip(index, strides, strict=True))
        for index in itertools.product(*map(range, shape))
    )
    return {start + k for start in starts for k in range(itemsize)}


def check(footprint, expected):
    """Compare everything a footprint reports with the set of its byte addresses."""
    page = footprint.page_size
    per_page = Counter(byte // page * page for byte in expected)
    assert footprint.nbytes == len(expected)
    assert footprint.pages == len(per_page)
    assert footprint.shared_edges == sum(n < page for n in per_page.values())
    if expected:
        assert footprint.address == min(expected)
        assert footprint.span == max(expected) - min(expected) + 1
    for limit in {1, 2, 3, 7, max(1, len(per_page) - 1), len(per_page) + 1}:
        chunks = list(footprint.chunks(limit))
        assert all(len(a) == len(b) for a, b in chunks)
        assert [len(a) for a, _ in chunks[:-1]] == [limit] * (len(chunks) - 1)
        assert all(0 < len(a) <= limit for a, _ in chunks)
        addresses = [int(x) for a, _ in chunks for x in a]
        assert addresses == sorted(per_page)
        assert [int(x) for _, b in chunks for x in b] == [per_page[x] for x in addresses]


def of(array, page_size=mmap.PAGESIZE, address=None):
    """Return the footprint of an array, at its own address or at a made-up one."""
    where = array.ctypes.data if address is None else address
    return Footprint.from_strides(
        where, array.shape, array.strides, array.itemsize, page_size=page_size
    )


def check_array(array, page_size=64):
    footprint = of(array, page_size)
    check(footprint, brute_bytes(array.ctypes.data, array.shape, array.strides, array.itemsize))
    return footprint
