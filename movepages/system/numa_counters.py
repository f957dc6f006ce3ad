"""The kernel's counters of allocations by node, and of automatic NUMA balancing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from .sysfs import TopologyError, names_in, read

_SYSFS, _PROC = Path("/sys"), Path("/proc")


class NodeCounters(NamedTuple):
    """Pages that were allocated on one node, by all processes of the machine.

    Attributes
    ----------
    numa_hit : int
        Allocated on this node, as wanted.
    numa_miss : int
        Allocated on this node, although another one was wanted.
    numa_foreign : int
        Allocated on another node, although this one was wanted.
    local_node : int
        Allocated on this node by a CPU of this node.
    other_node : int
        Allocated on this node by a CPU of another node.

    Notes
    -----
    Source: Documentation/admin-guide/numastat.rst.
    """

    numa_hit: int = 0
    numa_miss: int = 0
    numa_foreign: int = 0
    local_node: int = 0
    other_node: int = 0


class BalancingCounters(NamedTuple):
    """What automatic NUMA balancing did to all processes of the machine; None if it is not told.

    Attributes
    ----------
    numa_hint_faults : int or None
        Faults by which the kernel saw which CPU uses a page.
    numa_hint_faults_local : int or None
        Those of them where the page was on the node of the CPU.
    numa_pages_migrated : int or None
        Pages that were moved to the node of a CPU that uses them.
    numa_pte_updates : int or None
        Page table entries that were changed, so that the next use of their page faults.
    """

    numa_hint_faults: int | None = None
    numa_hint_faults_local: int | None = None
    numa_pages_migrated: int | None = None
    numa_pte_updates: int | None = None


class NumaCounters(NamedTuple):
    """Counters of the whole machine: what other processes did counts too.

    Attributes
    ----------
    nodes : mapping of int to NodeCounters
        Each node; empty if the kernel does not tell.
    balancing : BalancingCounters
    """

    nodes: Mapping[int, NodeCounters]
    balancing: BalancingCounters

    def since(self, earlier: NumaCounters) -> NumaCounters:
        """Return what was added since an earlier look, for the nodes of both looks.

        Examples
        --------
        >>> before = read_numa_counters()
        >>> added = read_numa_counters().since(before)
        >>> all(each.numa_hit >= 0 for each in added.nodes.values())
        True
        """
        nodes = {
            node: NodeCounters(*map(int.__sub__, now, earlier.nodes[node]))
            for node, now in self.nodes.items()
            if node in earlier.nodes
        }
        pairs = zip(self.balancing, earlier.balancing, strict=True)
        added = (None if a is None or b is None else a - b for a, b in pairs)
        return NumaCounters(nodes, BalancingCounters(*added))


def read_numa_counters(sysfs: Path = _SYSFS, proc: Path = _PROC) -> NumaCounters:
    """Read the counters of the whole machine.

    Notes
    -----
    With the sysctl vm.numa_stat=0, the kernel does not count allocations.
    Source: node_read_numastat in drivers/base/node.c, and mm/vmstat.c.
    """
    base = sysfs / "devices/system/node"
    found = {number: _counts(base / f"node{number}" / "numastat") for number in _nodes(base)}
    nodes = {
        node: NodeCounters(*(counts.get(name, 0) for name in NodeCounters._fields))
        for node, counts in found.items()
        if counts
    }
    told = _counts(proc / "vmstat")
    return NumaCounters(nodes, BalancingCounters(*map(told.get, BalancingCounters._fields)))


def _nodes(base: Path) -> list[int]:
    try:
        names = names_in(base)
    except TopologyError:
        return []
    return sorted(int(name[4:]) for name in names if re.fullmatch("node[0-9]+", name))


def _counts(path: Path) -> dict[str, int]:
    """Return the numbers of a file with a name and a number in each line; none if it is missing."""
    try:
        text = read(path)
    except TopologyError:
        return {}
    return {name: int(count) for name, count in re.findall(r"^(\w+) ([0-9]+)$", text, re.MULTILINE)}
