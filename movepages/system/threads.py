"""How many threads share a piece of work."""

from __future__ import annotations

import os
from typing import SupportsIndex

from ..whole_numbers import as_whole

# Moving or populating this much takes a hundred times as long as starting a thread.
_BYTES_A_THREAD = 16 << 20
# More threads wait for each other in the kernel.
_MOST_THREADS = 16
# The core starts no more threads than there is work for, and takes no larger number than C.
_LARGEST = 1 << 16


def as_threads(threads: SupportsIndex) -> int:
    """Return a number of threads that a user gave.

    Raises
    ------
    TypeError, ValueError
        It is not a whole number from 1.
    """
    return min(as_whole("threads", threads), _LARGEST)


def worthwhile_threads(nbytes: int, cpus: int | None = None) -> int:
    """Return how many threads move or populate some memory best, 1 at least.

    Parameters
    ----------
    nbytes : int
    cpus : int, optional
        CPUs that the threads may use; by default those of this thread.
    """
    if nbytes < 2 * _BYTES_A_THREAD:
        return 1
    count = len(os.sched_getaffinity(0)) if cpus is None else cpus
    return max(min(nbytes // _BYTES_A_THREAD, count, _MOST_THREADS), 1)
