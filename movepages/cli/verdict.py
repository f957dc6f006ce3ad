"""What a move of a process came to, held against /proc/PID/numa_maps."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import movepages as mp

from .regions import Regions


class Held(NamedTuple):
    """Bytes in memory on each node, and those on a node that is not known."""

    nodes: dict[int, int]
    unknown: int

    @property
    def total(self) -> int:
        """Bytes in memory."""
        return sum(self.nodes.values()) + self.unknown


def held_now(pid: int, regions: Regions) -> Held:
    """Add up what is in memory within regions that were listed before.

    A mapping that reaches out of them by now, as a heap that has grown does, is asked for page by
    page: numa_maps counts all of it. So is one that changed while it was read.
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
    """Count pages in memory elsewhere than `target` that a move has not told of.

    Parameters
    ----------
    on_target, known : int
        Pages that the move has on their target, and those it knows to be elsewhere.
    """
    held, page = held_now(pid, regions), mp.topology().page_size
    if isinstance(target, int):
        return max((held.total - held.nodes.get(target, 0)) // page - known, 0)
    return max(held.total // page - on_target - known, 0)


def _spans(regions: Regions) -> tuple[Any, Any]:
    """Return where regions in address order begin and end, those that touch as one."""
    starts = regions["address"]
    ends = starts + regions["nbytes"].astype(np.uintp)
    apart = starts[1:] != ends[:-1]
    return starts[np.append(True, apart)], ends[np.append(apart, True)]
