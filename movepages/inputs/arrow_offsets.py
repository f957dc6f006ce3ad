"""The part of its values that an Arrow array of variable width uses, by its offsets."""

from __future__ import annotations

import mmap
import sys
from typing import Any

import numpy as np

from ..system.presence import Presence, presence_runs

# To read these faults in nothing.
_READABLE = (
    Presence.PAGE,
    Presence.HUGE_PAGE,
    Presence.ZERO_PAGE,
    Presence.OWN_PAGE,
    Presence.PAGE_OR_ZERO,
)


def offset_bits(array: Any) -> int:
    """Return the size of an offset of an array of pyarrow."""
    return 64 if str(array.type).startswith("large_") else 32


def values_used(array: Any) -> tuple[int, int] | None:
    """Return the first offset of an array and the end of its last element.

    This reads the two offsets, and so touches a page or two of a buffer that holds data already. It
    reads them only if these pages are in memory: to look at memory must not fault in any.

    Returns
    -------
    tuple of (int, int) or None
        None if the array uses all offsets of its buffer, or if they cannot be read.
    """
    offsets, width = array.buffers()[1], offset_bits(array) // 8
    if not len(array):
        return 0, 0
    places = [array.offset * width, (array.offset + len(array)) * width]
    if offsets is None or not offsets.is_cpu or places[1] + width > offsets.size:
        return None
    if places == [0, offsets.size - width]:
        return None
    if not _are_in_memory([offsets.address + place for place in places]):
        return None
    content = memoryview(offsets)
    first, end = (
        int.from_bytes(content[place : place + width], sys.byteorder, signed=True)
        for place in places
    )
    return (first, end) if 0 <= first <= end else None


def _are_in_memory(addresses: list[int]) -> bool:
    # An offset is aligned to its size, so it lies in one page.
    pages = np.unique(np.array(addresses, np.uintp) // np.uintp(mmap.PAGESIZE))
    starts = pages * np.uintp(mmap.PAGESIZE)
    found = presence_runs(starts, starts + np.uintp(mmap.PAGESIZE), 0)
    return found is not None and set(found.kind.tolist()) <= set(_READABLE)
