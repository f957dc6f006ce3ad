"""Sparse mappings: more address space than memory, as sanitizers and garbage collectors reserve."""

import mmap
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .memory import PAGE, bind
from .system import SANITIZED

WHOLE = 1 << 44
_MAP_NORESERVE = 0x4000


def reserved(nbytes: int = WHOLE, node: int | None = None, *, huge: bool = False) -> np.ndarray:
    """Return untouched memory, bound to a node if one is given.

    Skip the test where so much address space is not available.
    """
    if SANITIZED:
        pytest.skip("AddressSanitizer occupies the address space")
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
    try:
        whole = mmap.mmap(-1, nbytes, flags=flags)
    except OSError as error:
        pytest.skip(f"needs {nbytes:,} bytes of address space: {error.strerror}")
    # A kernel without huge pages does not know this advice.
    with suppress(OSError):
        whole.madvise(mmap.MADV_HUGEPAGE if huge else mmap.MADV_NOHUGEPAGE)
    array = np.frombuffer(whole, np.uint8)
    if node is not None:
        bind(array, node)
    return array


def touched(array: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Touch this many pages all over an array; return their numbers, ascending."""
    numbers = np.random.default_rng(seed).choice(len(array) // PAGE, count * 2)
    # The ends, too: a scan looks at nothing beyond them.
    numbers = np.unique(np.append(numbers[: count - 2], [0, len(array) // PAGE - 1]))
    array[numbers * PAGE] = 1
    return numbers


class Anywhere:
    """A layout that hides that it has only one node, so that it is carried out as for several.

    Parameters
    ----------
    layout : Layout
    """

    def __init__(self, layout: Any) -> None:
        self._layout = layout

    def over(self, array: object, footprint: Any) -> Any:
        """Return the layout's pattern for an array."""
        pattern = self._layout.over(array, footprint)
        pattern.only = None
        return pattern


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Fail if the block takes more CPU time, or 32 MiB more memory than there is now.

    It is the CPU time of all threads, which other processes do not use up.
    """
    before, start = forget_peak(), time.process_time()
    yield
    taken, grown = time.process_time() - start, peak_bytes() - before
    assert taken < seconds, f"{taken:.2f} s, expected less than {seconds:.2f}"
    assert grown < 32 << 20, f"{grown:,} bytes more memory"


def peak_bytes() -> int:
    """Return the peak memory use of this process since `forget_peak`."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LookupError("no VmHWM in /proc/self/status")


def forget_peak() -> int:
    """Reset the peak to the memory that this process has now; return that."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_bytes()
