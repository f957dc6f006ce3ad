"""Check the result of moving a process against /proc/PID/numa_maps."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import movepages as mp

from .regions import Regions


class Held(NamedTuple):
    """Bytes in memory on each node, and bytes in memory on an unknown node."""

    nodes: dict[int, int]
    unknown: int

    @property
    def total(self) -> int:
        """Bytes in memory."""
        return sum(self.nodes.values()) + self.unknown


def held_now(pid: int, regions: Regions) -> Held:
    """Add up the bytes in memory inside regions that were listed earlier.

    By now a mapping, such as a grown heap, may reach beyond these regions. numa_maps counts the
    whole mapping, so `where` queries the part inside. It also queries mappings that changed while
    they were read.
    """
    if not len(regions):
        return Held({}, 0)
    process = mp.process(pid)
    now = process.regions()
    starts, ends = _spans(regions)
    first, last = now["address"], now["address"] + now["nbytes"].astype(np.uintp)
    index = np.searchsorted(starts, first, "right") - 1
    inside = (index >= 0) & (last <= ends[index]) & (now["policy"] != "")
    sums = now["bytes"][inside].sum(axis=0)
    nodes = dict(zip(process.nodes, sums.tolist(), strict=True))
    unknown = 0
    for row in np.flatnonzero(~inside):
        touched = slice(
            np.searchsorted(ends, first[row], "right"), np.searchsorted(starts, last[row], "left")
        )
        for start, end in zip(starts[touched], ends[touched], strict=True):
            begin, until = max(start, first[row]), min(end, last[row])
            part = mp.where(mp.Region(int(begin), int(until - begin), pid))
            unknown += part.hidden_bytes
            for node, nbytes in part.bytes_per_node.items():
                nodes[node] = nodes.get(node, 0) + nbytes
    return Held(nodes, unknown)


def not_accounted(pid: int, regions: Regions, target: Any, on_target: int, known: int) -> int:
    """Count the pages in memory that are off `target`, beyond those that a move reported.

    Parameters
    ----------
    on_target, known : int
        Pages that the move reported on their target, and pages it reported elsewhere.
    """
    held, page = held_now(pid, regions), mp.topology().page_size
    if isinstance(target, int):
        return max((held.total - held.nodes.get(target, 0)) // page - known, 0)
    return max(held.total // page - on_target - known, 0)


def _spans(regions: Regions) -> tuple[Any, Any]:
    """Return the starts and ends of regions in address order, with adjacent ones joined."""
    starts = regions["address"]
    ends = starts + regions["nbytes"].astype(np.uintp)
    apart = starts[1:] != ends[:-1]
    return starts[np.append(True, apart)], ends[np.append(apart, True)]
