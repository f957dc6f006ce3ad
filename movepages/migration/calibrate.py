"""Measure how fast pages move on this machine, for estimates."""

from __future__ import annotations

import mmap

import numpy as np
import numpy.typing as npt

from ..results.outcome import MovePagesError
from ..system.log import debug
from ..system.refusals import Refusal
from ..system.topology_reader import read_topology
from ..units import format_bytes
from .move import move

_known: list[float] = []


def rate_known() -> float | None:
    """Return the bytes per second that `calibrate` last measured in this process, or None."""
    return _known[-1] if _known else None


def calibrate(nbytes: int = 16 << 20) -> float | None:
    """Measure how fast small pages move between two nodes, for `Plan.seconds`.

    Parameters
    ----------
    nbytes : int, default 16 MiB
        Memory to move there and back.

    Returns
    -------
    float or None
        Bytes per second of the slower direction; None if fewer than two nodes are usable.

    Raises
    ------
    ValueError
        `nbytes` is less than one page.

    Examples
    --------
    >>> rate = calibrate(1 << 20)
    >>> rate is None or rate > 0
    True
    """
    if nbytes < mmap.PAGESIZE:
        raise ValueError(f"nbytes: expected {mmap.PAGESIZE} or more, got {nbytes}")
    nodes = read_topology().allowed_nodes
    if len(nodes) < 2:
        return None
    array = small_pages(nbytes)
    array[:: mmap.PAGESIZE] = 1
    rates = []
    try:
        move(array, nodes[0])
        for node in (nodes[1], nodes[0]):
            result = move(array, node)
            if result.ok and result.moved:
                rates.append(result.moved * mmap.PAGESIZE / result.seconds)
    except MovePagesError:
        return None
    if not rates:
        return None
    _known[:] = [min(rates)]
    debug("calibrate: %s/s between nodes %d and %d", format_bytes(int(_known[0])), *nodes[:2])
    return _known[0]


def small_pages(nbytes: int) -> npt.NDArray[np.uint8]:
    """Return a new mapping without huge pages; its pages are absent."""
    memory = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    # A kernel without huge pages rejects the advice.
    with Refusal():
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, np.uint8)
