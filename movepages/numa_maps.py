"""Mappings of which all memory is on one node, as /proc/PID/numa_maps tells them."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from .intervals import Intervals
from .mappings import Backing, read_mappings
from .refusals import read_if_told

_NODE = re.compile(rb" N(\d+)=")


def parse_numa_maps(text: bytes) -> tuple[npt.NDArray[np.uintp], npt.NDArray[np.int64]]:
    """Return the start of each mapping, and one more than the node that all of it is on, or 0."""
    starts: list[int] = []
    nodes: list[int] = []
    for line in text.split(b"\n")[:-1]:
        found = _NODE.findall(line)
        starts.append(int(line.split(b" ", 1)[0], 16))
        nodes.append(int(found[0]) + 1 if len(found) == 1 else 0)
    return np.array(starts, np.uintp), np.array(nodes, np.int64)


def single_nodes(pid: int) -> Intervals | None:
    """Return the private anonymous mappings of a process whose memory is all on one node.

    Their value is one more than the node. None where it may not be looked at.

    Notes
    -----
    Source: ``show_numa_map`` in the kernel's fs/proc/task_mmu.c, which goes through the page tables
    and counts what is present by node. Mappings of devices, where it leaves pages out, are none of
    these.
    """
    text, mappings = read_if_told(pid, "numa_maps"), read_mappings(pid)
    if text is None or mappings is None:
        return None
    first, last = mappings.edges[::2], mappings.edges[1::2]
    starts, nodes = parse_numa_maps(text)
    # A mapping that has grown together with its neighbour since is known up to where it ended.
    until = np.append(starts[1:], last[-1:])
    same = np.minimum(np.searchsorted(first, starts), len(first) - 1)
    known = (first[same] == starts) & (mappings.value[same] == Backing.PRIVATE.value) & (nodes > 0)
    ends = np.minimum(until, last[same])
    edges = np.stack((starts[known], ends[known]), axis=1).ravel()
    return Intervals(edges, nodes[known])


def resident_pages(pid: int) -> int | None:
    """Return how many pages of a process are in memory, which is what numa_maps goes through."""
    # Of a process that has just ended it is empty.
    numbers = (read_if_told(pid, "statm") or b"").split()
    return int(numbers[1]) if numbers else None
