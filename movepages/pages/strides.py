"""The spans of neighbouring pages that nested strides cover."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Dims: TypeAlias = tuple[tuple[int, int], ...]

SPANS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class PageSpans:
    """Spans of neighbouring pages, numbered from the page with the first byte.

    Parameters
    ----------
    lead : int
        Offset of the first byte in its page.
    extent : int
        Bytes from the first to the last byte of a span.
    dims : tuple of (int, int)
        Stride and count of each dimension, the largest stride first.
    page_size : int
        Page size in bytes.
    """

    lead: int
    extent: int
    dims: Dims
    page_size: int

    def slices(self, size: int = SPANS_AT_ONCE) -> Iterator[tuple[Ints, Ints]]:
        """Yield the first and the last page of each span, `size` spans at a time."""
        count = math.prod(count for _, count in self.dims)
        for low in range(0, count, size):
            yield self._pages(low, min(low + size, count))

    def numbers(self, size: int) -> Iterator[Ints]:
        """Yield the numbers of all pages, `size` at a time."""
        out, filled = np.empty(size, np.int64), 0
        for first, last in self.slices(min(max(size, 1024), SPANS_AT_ONCE)):
            ends = np.cumsum(last - first + 1)
            begins = ends - (last - first + 1)
            first -= begins
            low, total = 0, int(ends[-1])
            while low < total:
                high = min(low + size - filled, total)
                i = int(np.searchsorted(ends, low, "right"))
                j = int(np.searchsorted(ends, high, "left")) + 1
                counts = np.minimum(ends[i:j], high) - np.maximum(begins[i:j], low)
                piece = out[filled : filled + high - low]
                np.add(np.repeat(first[i:j], counts), np.arange(low, high), out=piece)
                filled += high - low
                low = high
                if filled == size:
                    yield out
                    out, filled = np.empty(size, np.int64), 0
        if filled:
            yield out[:filled]

    def _pages(self, low: int, high: int) -> tuple[Ints, Ints]:
        """Return first and last page of spans low to high, without pages of earlier spans."""
        before = min(low, 1)
        rest = np.arange(low - before, high, dtype=np.int64)
        offset = np.full(rest.size, self.lead, np.int64)
        for stride, count in reversed(self.dims[1:]):
            outer = rest // count
            offset += (rest - outer * count) * stride
            rest = outer
        for stride, _ in self.dims[:1]:
            offset += rest * stride
        first = offset // self.page_size
        last = (offset + (self.extent - 1)) // self.page_size
        # The gap between the last span of one group and the first of the next may be small.
        np.maximum(first[1:], last[:-1] + 1, out=first[1:])
        return first[before:], last[before:]


def page_spans(lead: int, block: int, dims: Dims, page_size: int) -> PageSpans:
    """Return the page spans of a block of bytes that repeats along nested strides."""
    # A gap smaller than a page contains no whole page, so the set of pages has no gap there.
    while dims and dims[-1][0] - block < page_size:
        block += dims[-1][0] * (dims[-1][1] - 1)
        dims = dims[:-1]
    return PageSpans(lead, block, dims, page_size)


def nest(axes: Iterable[tuple[int, int]], block: int) -> tuple[int, Dims]:
    """Merge ascending (stride, count) pairs into a block and strides that nest around it."""
    dims: list[tuple[int, int]] = []
    extent = block
    for stride, count in axes:
        inner, inner_count = dims[-1] if dims else (1, block)
        if not dims and stride <= block:
            block += stride * (count - 1)
        elif dims and stride % inner == 0 and stride <= inner * inner_count:
            dims[-1] = (inner, stride // inner * (count - 1) + inner_count)
        elif stride >= extent:
            dims.append((stride, count))
        else:
            raise ValueError(
                f"cannot tell which bytes are occupied: a stride of {stride} bytes cuts into the "
                f"{extent} bytes that smaller strides span (as_strided() makes such arrays); "
                "pass the base array instead"
            )
        extent += stride * (count - 1)
    return block, tuple(reversed(dims))
