"""Count the pages that blocks at nested strides touch, or fill in part."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .nested import Nested
from .strides import PageSpans, page_spans


def count_pages(lead: int, blocks: Nested, page_size: int) -> int:
    """Count the pages that hold at least one byte of blocks that begin `lead` bytes into a page."""

    def measure(some: Nested) -> int:
        spans = page_spans(lead, some.block, some.dims, page_size)
        return sum(int(np.sum(last - first + 1)) for first, last in spans.slices())

    return _periodic(measure, blocks, page_size)


def count_partial(lead: int, blocks: Nested, page_size: int) -> int:
    """Count the pages among these that the blocks fill only in part."""
    if blocks.longest < page_size:
        return count_pages(lead, blocks, page_size)

    def measure(some: Nested) -> int:
        found = 0
        # Only pages in which a block begins or ends can be partly covered.
        for first, last in PageSpans(lead, some.block, some.dims, page_size).slices():
            held_by_any = last >= first
            edges = np.unique(np.concatenate((first[held_by_any], last[held_by_any])))
            low = edges * page_size - lead
            held = some.below(low + page_size) - some.below(low)
            found += int(np.count_nonzero(held < page_size))
        return found

    return _periodic(measure, blocks, page_size)


def _periodic(measure: Callable[[Nested], int], blocks: Nested, page_size: int) -> int:
    """Measure fewer blocks and extrapolate: the pattern repeats after whole pages."""
    stride, count = blocks.dims[0]
    period = page_size // math.gcd(stride, page_size)
    short = 2 * period + count % period
    if count <= short + period:
        return measure(blocks)
    low, high = (
        measure(Nested(blocks.block, ((stride, n), *blocks.dims[1:])))
        for n in (short, short + period)
    )
    return low + (high - low) * ((count - short) // period)
