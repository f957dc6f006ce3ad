"""The mappings of a process and the nodes of their memory, from /proc/PID/numa_maps."""

from __future__ import annotations

import mmap
import re
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .intervals import Intervals
from .maps import Backing, drop_repeated, read_mappings
from .refusals import read_if_told

_NODE = re.compile(rb" N(\d+)=(\d+)")
_MAPMAX = re.compile(rb" mapmax=(\d+)")
_PAGE_KIB = re.compile(rb" kernelpagesize_kB=(\d+)")

Counts: TypeAlias = "npt.NDArray[np.int64]"


class Mapped(NamedTuple):
    """Mappings in address order, with what numa_maps reports about each.

    Attributes
    ----------
    where : Intervals
        Start and end of each mapping; the value is the mapping's index plus 1.
    node : ndarray of int64
        The node plus 1 if all the mapping's memory is on that node; 0 if the memory is on several
        nodes or there is none.
    pages : ndarray of int64
        Number of pages in memory, in pages of the system's size. The zero page is not counted.
    backing : ndarray of uint8
        The `Backing` of each mapping.
    """

    where: Intervals
    node: Counts
    pages: Counts
    backing: npt.NDArray[np.uint8]


def parse_numa_maps(text: bytes) -> tuple[npt.NDArray[np.uintp], Counts, Counts]:
    """Return the start, `Mapped.node` and `Mapped.pages` of each mapping, in address order."""
    rows: list[tuple[int, int, int]] = []
    for line in text.split(b"\n")[:-1]:
        size, held = memory_of(line)
        nbytes = sum(held.values()) * size
        node = next(iter(held)) + 1 if len(held) == 1 else 0
        start = int(line.split(b" ", 1)[0], 16)
        drop_repeated(rows, start)
        rows.append((start, node, nbytes // mmap.PAGESIZE))
    starts, nodes, pages = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(starts, np.uintp), np.array(nodes, np.int64), np.array(pages, np.int64)


def memory_of(line: bytes) -> tuple[int, dict[int, int]]:
    """Return the page size of a mapping in bytes, 0 if it has no memory, and its pages by node."""
    unit = _PAGE_KIB.search(line)
    size = int(unit[1]) * 1024 if unit else 0
    return size, {int(node): int(count) for node, count in _NODE.findall(line)}


def mapmax_of(line: bytes) -> int:
    """Return the most times that one of a mapping's pages is mapped; 0 if it has no memory."""
    found = _MAPMAX.search(line)
    return int(found[1]) if found else int(_NODE.search(line) is not None)


def single_nodes(pid: int) -> Intervals | None:
    """Return the private anonymous mappings that have all their memory on one node.

    The value of each mapping is its node plus 1. Returns None if the mappings cannot be read.

    Notes
    -----
    Source: ``show_numa_map`` in the kernel's fs/proc/task_mmu.c, which walks the page tables and
    counts present pages by node. It leaves out pages of device mappings; such mappings are not
    returned here.
    """
    found = mapped(pid)
    if found is None:
        return None
    known = (found.backing == Backing.PRIVATE.value) & (found.node > 0)
    return Intervals(found.where.edges.reshape(-1, 2)[known].ravel(), found.node[known])


def mapped(pid: int) -> Mapped | None:
    """Read the mappings of a process; None if they cannot be read."""
    text, mappings = read_if_told(pid, "numa_maps"), read_mappings(pid)
    if text is None or mappings is None:
        return None
    first, last = mappings.edges[::2], mappings.edges[1::2]
    starts, nodes, pages = parse_numa_maps(text)
    # If a mapping merged with its neighbour after numa_maps was read, its counts hold only up to
    # its old end.
    until = np.append(starts[1:], last[-1:])
    same = np.minimum(np.searchsorted(first, starts), len(first) - 1)
    steady = first[same] == starts
    edges = np.stack((starts, np.minimum(until, last[same])), axis=1)[steady].ravel()
    number = np.arange(1, len(edges) // 2 + 1)
    backing = mappings.value[same][steady]
    return Mapped(Intervals(edges, number), nodes[steady], pages[steady], backing)


def resident_pages(pid: int) -> int | None:
    """Return how many pages of a process are resident: as many as numa_maps has to walk."""
    # The file of a process that has just exited is empty.
    numbers = (read_if_told(pid, "statm") or b"").split()
    return int(numbers[1]) if numbers else None
