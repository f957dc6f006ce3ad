"""Measure how fast pages move on this machine, for estimates."""

from __future__ import annotations

import mmap

import numpy as np
import numpy.typing as npt

from ..results.outcome import MovePagesError
from ..system.log import debug
from ..system.refusals import Refusal
from ..system.threads import worthwhile_threads
from ..system.topology_reader import read_topology
from ..units import format_bytes
from ..whole_numbers import as_whole
from .move import move

# Bytes per second by the number of threads.
_known: dict[int, float] = {}


def rate_known(nbytes: int) -> float | None:
    """Return the bytes per second at which so much moves, or None before `calibrate`.

    The rate is that of as many threads as `move` uses for so much, or of the next lower number of
    threads that was measured.
    """
    threads = worthwhile_threads(nbytes)
    # Another thread may calibrate meanwhile.
    known = _known
    measured = [each for each in known if each <= threads]
    return known[max(measured)] if measured else None


def calibrate(nbytes: int = 64 << 20) -> float | None:
    """Measure how fast small pages move between two nodes, for `Plan.seconds`.

    It times moves by one thread, and by as many threads as `move` uses for `nbytes`.

    Parameters
    ----------
    nbytes : int, default 64 MiB
        Bytes to move to the other node and back.

    Returns
    -------
    float or None
        Bytes per second of a move of `nbytes`, in the slower direction. None if this process may
        use fewer than two nodes, or if the pages could not be moved.

    Raises
    ------
    TypeError, ValueError
        `nbytes` is not a whole number, or is less than one page.

    Examples
    --------
    >>> rate = calibrate(1 << 20)
    >>> rate is None or rate > 0
    True
    """
    global _known
    nbytes = as_whole("nbytes", nbytes, mmap.PAGESIZE)
    nodes = read_topology().allowed_nodes
    if len(nodes) < 2:
        return None
    array = small_pages(nbytes)
    array[:: mmap.PAGESIZE] = 1
    found: dict[int, float] = {}
    try:
        move(array, nodes[0])
        for threads in sorted({1, worthwhile_threads(nbytes)}):
            rate = _slower(array, (nodes[1], nodes[0]), threads)
            if rate is None:
                return None
            found[threads] = rate
            debug(
                "calibrate: %s/s between nodes %d and %d by %d threads",
                format_bytes(int(rate)), *nodes[:2], threads,
            )  # fmt: skip
    except MovePagesError:
        return None
    _known = found
    return found[max(found)]


def _slower(array: npt.NDArray[np.uint8], nodes: tuple[int, ...], threads: int) -> float | None:
    """Move an array to each node in turn; return the bytes per second of the slowest move."""
    rates = []
    for node in nodes:
        result = move(array, node, threads=threads)
        if result.ok and result.moved:
            rates.append(result.moved * mmap.PAGESIZE / result.seconds)
    return min(rates, default=None)


def small_pages(nbytes: int) -> npt.NDArray[np.uint8]:
    """Return a new mapping without huge pages; its pages are absent."""
    memory = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    # A kernel without huge pages rejects the advice.
    with Refusal():
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, np.uint8)
