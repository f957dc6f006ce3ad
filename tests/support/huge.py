"""Memory that is in transparent huge pages for sure."""

import contextlib

import numpy as np
import pytest

from . import memory, system, witness

_MADV_COLLAPSE = 25
_TRIES = 10


def fill(array: np.ndarray, part: slice = slice(None)) -> None:
    """Touch a part of an array, and have it in huge pages; the rest stays untouched.

    A page fault gives small pages where free memory is too fragmented. MADV_COLLAPSE, which came
    with Linux 6.1, frees room for a huge page first. Skip the test where both give too few.

    Parameters
    ----------
    array : ndarray
        Untouched memory of `memory.anonymous`, with ``huge=True``. In the end, khugepaged leaves
        it as it is.
    part : slice of int
        Bytes from a border of huge pages to another; all of the array by default.
    """
    some = array[part]
    for _ in range(_TRIES):
        memory.touch(some)
        # An older kernel does not know this advice; otherwise there may be no room now.
        with contextlib.suppress(OSError):
            system.succeed(system.libc.madvise(some.ctypes.data, some.nbytes, _MADV_COLLAPSE))
        if witness.huge_bytes(array) == some.nbytes:
            memory.keep_as_it_is(array)
            return
        memory.discard(some)
    pytest.skip(f"needs {some.nbytes:,} bytes in huge pages, the kernel gave fewer")
