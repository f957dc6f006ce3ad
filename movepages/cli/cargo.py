"""The array that a journey takes along: written to but for its end, and summed up."""

from __future__ import annotations

import zlib
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[np.float64]"

# Between two slices Ctrl-C is heard.
SLICE = 1 << 16
# The last eighth stays untouched, so that absent pages are seen.
_UNTOUCHED = 8


def allocate(nbytes: int) -> Array:
    """Return an array, all of it touched but its end."""
    array = np.empty(-(-nbytes // np.dtype(np.float64).itemsize), np.float64)
    part = touched(array)
    for at in range(0, len(part), SLICE):
        piece = part[at : at + SLICE]
        piece[:] = np.arange(at, at + len(piece))
    return array


def touched(array: Array) -> Array:
    """Return the part that was written to."""
    return array[: len(array) - len(array) // _UNTOUCHED]


def checksum(array: Array) -> int:
    """Sum up the touched part: reading the rest would make its pages present."""
    value, part = 0, touched(array)
    for at in range(0, len(part), SLICE):
        value = zlib.crc32(part[at : at + SLICE].data, value)
    return value
