"""The pages of a footprint in chunks: any address, any size, and bounded memory."""

import itertools
import time
import tracemalloc

import numpy as np
import pytest

from footprint_fixtures import BASE
from movepages.pages.footprint import Footprint

# Arithmetic only, which is the same on every kernel.
pytestmark = pytest.mark.host

TERABYTE = 1 << 40


def test_top_of_the_address_space():
    footprint = Footprint(2**64 - 8192, 8192, page_size=4096)
    ((addresses, nbytes),) = footprint.chunks(10)
    assert addresses.tolist() == [2**64 - 8192, 2**64 - 4096]
    assert nbytes.tolist() == [4096, 4096]
    everything = Footprint(0, 2**64, page_size=4096)
    assert everything.pages == 2**52
    assert next(everything.chunks(2))[0].tolist() == [0, 4096]
    strided = Footprint(2**64 - 8192, 1, ((8191, 2),), 4096)
    ((addresses, nbytes),) = strided.chunks(10)
    assert addresses.tolist() == [2**64 - 8192, 2**64 - 4096]
    assert nbytes.tolist() == [1, 1]


def test_dtypes_and_ownership_of_chunks():
    for footprint in (Footprint(BASE, 10**5), Footprint(BASE, 8, ((10**5, 100),))):
        chunks = list(footprint.chunks(7))
        assert {(a.dtype, b.dtype) for a, b in chunks} == {(np.dtype(np.uintp), np.dtype(np.int64))}
        assert not any(
            np.shares_memory(x, y) for (x, _), (y, _) in itertools.combinations(chunks, 2)
        )


def first_chunk_cost(footprint, limit):
    """Return the first chunk's addresses, and the CPU seconds and peak bytes that it takes."""
    tracemalloc.start()
    try:
        start = time.thread_time()
        addresses, _ = next(footprint.chunks(limit))
        seconds = time.thread_time() - start
        return addresses, seconds, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "footprint",
    [
        Footprint(BASE, TERABYTE, page_size=4096),
        Footprint(BASE, 8, ((16, TERABYTE // 16),), 4096),
        Footprint(BASE, 8, ((10_000, 10**8),), 4096),
        Footprint(BASE, 8, ((10**9, 1000), (10_000, 10**5)), 4096),
        Footprint(BASE, 10**10, ((10**10 + 8192, 100),), 4096),
    ],
    ids=["contiguous", "every other", "1e8 spans", "1e8 spans in two dims", "long spans"],
)
def test_huge_footprints_stream_in_bounded_memory(footprint):
    addresses, seconds, peak = first_chunk_cost(footprint, 10_000)
    assert len(addresses) == 10_000
    assert addresses[0] == BASE
    assert peak < 8 << 20
    assert seconds < 1  # some milliseconds; a chunk which depends on the size takes minutes


def test_counting_a_terabyte_is_closed_form():
    start = time.thread_time()
    assert Footprint(BASE, TERABYTE, page_size=4096).pages == TERABYTE // 4096
    every_other = Footprint(BASE, 8, ((16, TERABYTE // 16),), 4096)
    assert every_other.pages == every_other.shared_edges == TERABYTE // 4096
    sparse = Footprint(BASE, 8, ((8192, 10**8),), 4096)
    assert sparse.pages == sparse.shared_edges == 10**8
    crossing = Footprint(BASE + 4092, 8, ((8192, 10**8),), 4096)
    assert crossing.pages == 2 * 10**8
    assert time.thread_time() - start < 1


def test_chunk_size_must_be_an_integer():
    with pytest.raises(TypeError, match="float"):
        Footprint(0, 1).chunks(1.5)
