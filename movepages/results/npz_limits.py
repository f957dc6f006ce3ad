"""Limits of the files of placements: nothing beyond them is written, and nothing beyond is read.

A file that somebody else made must not take more memory or time than its size suggests.
"""

from __future__ import annotations

from collections.abc import Mapping

# Larger sizes and offsets need records of their own (ZIP64), which this package does not write.
MOST_BYTES = 0xFFFFFFFF
# An array of more than so many bytes is at most so many times as large as what it is packed into.
# Tables of members reach 20 times.
FREE_BYTES, MOST_RATIO = 1 << 20, 32
MOST_DIMENSIONS = 64
# Far more than anybody has. Larger files would take minutes to check.
MOST = {
    "members": 1 << 22,
    "bytes of names": 1 << 28,
    "shapes and strides": 1 << 24,
    "pieces": 1 << 26,
    "blocks": 1 << 26,
}
# Blocks of strided members that overlap others are taken one by one, with some 100 bytes for each.
MOST_OVERLAPPING_BLOCKS = 1 << 20


class BeyondLimitsError(ValueError):
    """A placement is larger than files of placements may be."""


def refuse_beyond(counts: Mapping[str, int]) -> None:
    """Raise `BeyondLimitsError` if there is more of something than the limits allow."""
    for name, count in counts.items():
        if count > MOST[name]:
            raise BeyondLimitsError(f"{count:,} {name}, expected at most {MOST[name]:,}")


def may_unpack(packed: int, unpacked: int) -> bool:
    """Return whether so many bytes may unpack to so many."""
    return unpacked <= max(FREE_BYTES, packed * MOST_RATIO)
