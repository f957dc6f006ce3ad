"""Pieces: bytes and pages that footprints share count once, against a map of every byte."""

import numpy as np
import pytest

from movepages.pages.footprint import Footprint
from movepages.pages.pieces import Pieces

# The same on every kernel.
pytestmark = pytest.mark.host

PAGE = 4096
START = 1 << 20
BYTES = 32 * PAGE


def pieces(*parts: tuple[int, int] | Footprint) -> Pieces:
    whole = [part for part in parts if isinstance(part, tuple)]
    strided = [part for part in parts if isinstance(part, Footprint)]
    address = np.array([first for first, _ in whole], np.uintp)
    return Pieces(address, np.array([n for _, n in whole], np.int64), strided, PAGE)


def some_parts(random: np.random.Generator) -> tuple[list[tuple[int, int] | Footprint], np.ndarray]:
    """Return random parts, and which of the bytes from START on they hold."""
    parts: list[tuple[int, int] | Footprint] = []
    holds = np.zeros(BYTES, bool)
    for _ in range(random.integers(1, 6)):
        first, count = int(random.integers(0, 9000)), max(int(random.integers(-5, 7)), 1)
        block = int(random.integers(0, 9000 if count == 1 else 40))
        stride = int(random.integers(max(block, 1), 9000))
        if count > 1 and block:
            part = Footprint.from_strides(START + first, (count,), (stride,), block)
            parts.append(part if part.dims else (part.address, part.block))
        else:
            count = 1
            # Few edges are at the border of a page by chance.
            if random.integers(0, 2):
                first, block = first // PAGE * PAGE, block // PAGE * PAGE
            parts.append((START + first, block))
        for index in range(count):
            holds[first + index * stride :][:block] = True
    return parts, holds


@pytest.mark.parametrize("seed", range(200))
def test_every_byte_counts_once(seed: int) -> None:
    parts, holds = some_parts(np.random.default_rng(seed))
    found = pieces(*parts)
    on_page = holds.reshape(-1, PAGE).sum(axis=1)
    assert found.nbytes == holds.sum()
    assert found.pages == np.count_nonzero(on_page)
    assert found.shared_edges == np.count_nonzero((on_page > 0) & (on_page < PAGE))
    chunks = list(found.chunks(3))
    pages = {int(a): int(n) for some, held in chunks for a, n in zip(some, held, strict=True)}
    assert pages == {START + k * PAGE: n for k, n in enumerate(on_page.tolist()) if n}
    for addresses, count in found.ranges():
        held = found.held(addresses, count).tolist()
        for first, rows, nbytes in zip(addresses.tolist(), count.tolist(), held, strict=True):
            number = (first - START) // PAGE
            assert on_page[number : number + rows].sum() == nbytes
    if holds.any():
        bytes_held = np.flatnonzero(holds)
        assert found.address == START + bytes_held[0]
        assert found.span == bytes_held[-1] - bytes_held[0] + 1


def test_columns_of_one_table_become_one_piece() -> None:
    columns = [Footprint(START + 8 * k, 8, ((80, 1000),)) for k in range(10)]
    found = pieces(*columns)
    assert found.contiguous
    assert found.nbytes == 80_000


def test_the_same_strided_array_twice() -> None:
    column = Footprint(START, 8, ((PAGE * 2, 100),))
    assert pieces(column, column).nbytes == 800
    assert pieces(column, column).pages == 100


def test_nothing() -> None:
    found = pieces((START, 0))
    assert (found.nbytes, found.pages, found.shared_edges) == (0, 0, 0)
    assert list(found.ranges()) == []


def test_a_page_between_two_pieces_is_left_out() -> None:
    found = pieces((START, PAGE), (START + 2 * PAGE, PAGE))
    assert found.pages == 2
    assert [count.tolist() for _, count in found.ranges()] == [[1, 1]]


def test_pieces_that_touch_cover_a_page_together() -> None:
    found = pieces((START + 100, PAGE - 100), (START, 100))
    assert found.contiguous
    assert found.shared_edges == 0


@pytest.mark.parametrize("part", [(2**64 - PAGE, PAGE), (2**64 - PAGE, 0), (2**64 - 2**20, 2**21)])
def test_memory_at_the_end_of_the_address_space_is_refused(part: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="ends below"):
        pieces(part)


def test_too_many_overlapping_blocks_are_refused() -> None:
    fine = Footprint(START, 1, ((3, 1 << 23),))
    other = Footprint(START + 1, 1, ((5, 1 << 24),))
    with pytest.raises(ValueError, match="too many"):
        pieces(fine, other)
