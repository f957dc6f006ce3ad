"""disjoint(): replace pieces of memory that overlap by pieces that do not."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .footprint import Footprint
from .strides import Dims, Ints, nest

Addresses: TypeAlias = "npt.NDArray[np.uintp]"
Intervals: TypeAlias = "tuple[Addresses, Addresses]"

_HIGHEST = np.uintp(2**64 - 2**16)
# Sums over all pieces must fit 64 bits.
_MOST_BYTES = 1 << 62
# Blocks of overlapping strided pieces that are taken one by one: 16 bytes each, several times.
MOST_BLOCKS = 1 << 24


def disjoint(
    address: Addresses,
    nbytes: Ints,
    strided: Sequence[Footprint],
    most_blocks: int = MOST_BLOCKS,
) -> tuple[Addresses, Addresses, list[Footprint]]:
    """Return pieces that hold the same bytes, each byte once.

    Parameters
    ----------
    address, nbytes : ndarray
        Contiguous pieces, which may overlap.
    strided : sequence of Footprint
        Further pieces, which may overlap too.
    most_blocks : int, optional
        Most blocks in strided pieces that overlap others.

    Returns
    -------
    begin, end : ndarray of uintp
        Contiguous pieces in address order, which do not touch.
    strided : list of Footprint
        Pieces whose spans overlap no other piece.

    Raises
    ------
    ValueError
        A piece ends near 2**64, or there are too many blocks in pieces that overlap.
    """
    if _total(nbytes) + sum(each.nbytes for each in strided) >= _MOST_BYTES:
        raise ValueError("expected less than 2**62 bytes in all, which no process can map")
    # There may be very many pieces, and new memory costs more than the work on it.
    order = np.argsort(address, kind="stable")
    if nbytes.min(initial=1) < 1:
        order = order[nbytes[order] > 0]
    begin = address[order]
    end = nbytes[order].view(np.uintp)
    end += begin
    del order
    # The page after the last one needs an address, too.
    highest = max(end.max(initial=0), address.max(initial=0))
    if (end < begin).any() or highest > _HIGHEST:
        raise ValueError(
            f"expected memory that ends below {_HIGHEST:#x}, got some at {int(address.max()):#x}"
        )
    begin, end = _join(begin, end)
    strided = [each for each in strided if each.block]
    if not strided:
        return begin, end, []
    whole, rest = _join_columns(strided)
    begin, end = _merge(*_with(begin, end, whole))
    rest = [each for each in rest if not _inside(each, begin, end)]
    apart, mixed = _split_by_overlap(rest, begin, end)
    blocks = sum(math.prod(count for _, count in each.dims) for each in mixed)
    if blocks > most_blocks:
        raise ValueError(
            f"strided arrays overlap others in {blocks:,} blocks of bytes, which are too many to "
            "count each byte once; pass the array that they are views of"
        )
    if mixed:
        begins, ends = zip(*map(_blocks, mixed), strict=True)
        begin, end = _merge(np.concatenate((begin, *begins)), np.concatenate((end, *ends)))
    return begin, end, apart


def _merge(begin: Addresses, end: Addresses) -> Intervals:
    """Sort intervals, and join those that overlap or touch."""
    order = np.argsort(begin, kind="stable")
    return _join(begin[order], end[order])


def _join(begin: Addresses, end: Addresses) -> Intervals:
    """Join sorted intervals that overlap or touch; `end` may be overwritten."""
    if (begin[1:] > end[:-1]).all():
        return begin, end
    np.maximum.accumulate(end, out=end)
    new = np.append(True, begin[1:] > end[:-1])
    return begin[new], end[np.append(new[1:], True)]


def _total(nbytes: Ints) -> int:
    """Add up lengths that may be too many for 64 bits."""
    if int(nbytes.max(initial=0)) * len(nbytes) < _MOST_BYTES:
        return int(nbytes.sum())
    high, low = nbytes >> np.int64(32), nbytes & np.int64(2**32 - 1)
    return (int(high.sum()) << 32) + int(low.sum())


def _with(begin: Addresses, end: Addresses, more: Iterable[tuple[int, int]]) -> Intervals:
    added = np.array(list(more), np.uintp).reshape(-1, 2)
    return np.concatenate((begin, added[:, 0])), np.concatenate((end, added[:, 1]))


def _join_columns(strided: Sequence[Footprint]) -> tuple[list[tuple[int, int]], list[Footprint]]:
    """Join pieces of equal strides that lie side by side, such as the columns of a table.

    Returns
    -------
    whole : list of (int, int)
        Begin and end of what has become contiguous.
    rest : list of Footprint
    """
    alike: defaultdict[Dims, list[Footprint]] = defaultdict(list)
    for each in strided:
        alike[each.dims].append(each)
    whole: list[tuple[int, int]] = []
    rest: list[Footprint] = []
    for dims, group in alike.items():
        stride = dims[-1][0]
        first: Footprint | None = None
        for each in sorted(group, key=lambda each: (each.address, -each.block)):
            if first is not None and each.address <= first.address + first.block:
                reach = max(first.block, each.address + each.block - first.address)
                if reach <= stride:
                    first = _joined(first, reach)
                    continue
            if first is not None:
                _add(first, whole, rest)
            first = each
        if first is not None:
            _add(first, whole, rest)
    return whole, rest


def _joined(first: Footprint, block: int) -> Footprint:
    return Footprint(first.address, block, first.dims, first.page_size, first.pid)


def _add(each: Footprint, whole: list[tuple[int, int]], rest: list[Footprint]) -> None:
    block, dims = nest(reversed(each.dims), each.block)
    if dims:
        rest.append(Footprint(each.address, block, dims, each.page_size, each.pid))
    else:
        whole.append((each.address, each.address + block))


def _inside(each: Footprint, begin: Addresses, end: Addresses) -> bool:
    piece = int(np.searchsorted(begin, np.uintp(each.address), "right")) - 1
    return piece >= 0 and each.address + each.span <= int(end[piece])


def _split_by_overlap(
    strided: list[Footprint], begin: Addresses, end: Addresses
) -> tuple[list[Footprint], list[Footprint]]:
    """Separate pieces that overlap nothing from pieces that may share bytes with others."""
    apart: list[Footprint] = []
    mixed: list[Footprint] = []
    reach, previous = 0, False
    for each in sorted(strided, key=lambda each: each.address):
        overlaps = each.address < reach
        if overlaps and previous:
            mixed.append(apart.pop())
        last = each.address + each.span
        low = int(np.searchsorted(end, np.uintp(each.address), "right"))
        meets = low < len(begin) and int(begin[low]) < last
        previous = not (overlaps or meets)
        (apart if previous else mixed).append(each)
        reach = max(reach, last)
    return apart, mixed


def _blocks(each: Footprint) -> Intervals:
    offset = np.zeros(1, np.int64)
    for stride, count in each.dims:
        steps = np.arange(count, dtype=np.int64) * stride
        offset = (offset[:, np.newaxis] + steps).ravel()
    begin = offset.astype(np.uintp) + np.uintp(each.address)
    return begin, begin + np.uintp(each.block)
