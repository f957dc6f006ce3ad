"""What measure_bandwidth() measures: the CPUs of each node, and how much memory on each."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import NamedTuple

from .. import _core
from .._core import HUGE_PAGE_BYTES
from ..results.outcome import make_error
from ..system.caches import Caches, last_level_caches
from ..system.memory_limit import cgroup_room
from ..system.topology import Topology
from ..system.zone_reserves import zone_reserves
from ..units import format_bytes, format_ids

# A copy uses half of the memory as its source. STREAM asks for four times the caches in each array.
_TIMES_CACHES = 8
_DOUBTFUL_TIMES = 4
_LEAST_BYTES, _MOST_BYTES = 64 << 20, 4 << 30
# Less says nothing about memory.
_FEWEST_BYTES = 4 << 20
# A node with less is measured in small pages, because interleaving would cut through huge pages.
# Where a page has 64 KiB, a huge page has 512 MiB, which may be more than what is measured.
FEWEST_IN_HUGE_PAGES = 2 * HUGE_PAGE_BYTES


class Places(NamedTuple):
    """The CPUs and the memory to measure.

    Attributes
    ----------
    cpus : mapping of int to tuple of int
        The CPUs of each node with CPUs that this process may use.
    homes : mapping of int to int
        For each of these nodes, the nearest node with memory.
    nbytes : mapping of int to int
        Bytes to use on each node with memory.
    caches : Caches
        The last-level caches of the node that has most of them.
    notes : tuple of str
        What is left out, and what is too small.
    """

    cpus: Mapping[int, tuple[int, ...]]
    homes: Mapping[int, int]
    nbytes: Mapping[int, int]
    caches: Caches
    notes: tuple[str, ...]


def find_places(machine: Topology) -> Places:
    """Return what this thread may measure.

    Raises
    ------
    MovePagesError
        No node has a CPU, or none has memory, that may be used and suffices.
    """
    cpus, notes = _cpus(machine)
    caches = max(map(last_level_caches, cpus.values()), default=Caches())
    nbytes, more = _sizes(machine, caches)
    if not cpus or not nbytes:
        what = "CPUs" if not cpus else "enough free memory"
        raise make_error(errno.ENOMEM, f"no node that this process may use has {what}")
    homes = {
        node: min(nbytes, key=lambda to, node=node: (machine.distance(node, to), to))  # type: ignore[misc]
        for node in cpus
    }
    return Places(cpus, homes, nbytes, caches, (*notes, *more))


def _cpus(machine: Topology) -> tuple[dict[int, tuple[int, ...]], list[str]]:
    allowed = os.sched_getaffinity(0)
    found = {
        node.id: tuple(cpu for cpu in node.cpus if cpu in allowed)
        for node in machine.nodes.values()
        if node.has_cpus
    }
    without = [node for node, cpus in found.items() if not cpus]
    notes = [_left_out(without, "this process may use no CPU there")] if without else []
    return {node: cpus for node, cpus in found.items() if cpus}, notes


def _sizes(machine: Topology, caches: Caches) -> tuple[dict[int, int], list[str]]:
    wanted = min(max(_TIMES_CACHES * caches.total, _LEAST_BYTES), _MOST_BYTES)
    nodes, notes = machine.allowed_nodes, []
    if forbidden := [node for node in machine.memory_nodes if node not in nodes]:
        notes.append(_left_out(forbidden, "the cpuset forbids memory there"))
    if machine.offline_nodes:
        notes.append(_left_out(list(machine.offline_nodes), "offline"))
    reserves, limit = zone_reserves(), cgroup_room()
    found = {}
    for node in nodes:
        free = _core.node_room(node)
        room = max((machine.nodes[node].memory_free if free is None else free) - reserves[node], 0)
        if limit is not None:
            room = min(room, limit // len(nodes))
        # Leave half of what is free to others.
        most = min(wanted, room // 2)
        if most < _FEWEST_BYTES:
            notes.append(_left_out([node], f"only {format_bytes(room)} are free"))
            continue
        unit = HUGE_PAGE_BYTES if most >= FEWEST_IN_HUGE_PAGES else machine.page_size
        nbytes = most // unit * unit
        found[node] = nbytes
        if nbytes < _DOUBTFUL_TIMES * caches.total:
            notes.append(
                f"{format_bytes(nbytes)} were used on node {node}, less than {_DOUBTFUL_TIMES} "
                f"times the caches of {format_bytes(caches.total)}: bandwidths may be too high."
            )
    return found, notes


def _left_out(nodes: list[int], why: str) -> str:
    return f"Left out: node{'s' if len(nodes) > 1 else ''} {format_ids(nodes)}: {why}."
