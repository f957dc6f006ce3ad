"""Which nodes can be a target and why others cannot, as far as the kernel need not be asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .. import _core
from ..units import format_bytes
from . import sysfs
from .sysfs import TopologyError
from .topology import Topology
from .topology_reader import topology

_HAS_MEMORY = Path("/sys/devices/system/node/has_memory")


def machine() -> Topology | None:
    """Return the nodes of this machine; None where sysfs is hidden."""
    try:
        return topology()
    except (TopologyError, ValueError):
        return None


def unusable_node(nodes: list[int], pid: int) -> int | None:
    """Return the first of `nodes` that is known to be of no use as a target, if any."""
    if pid == 0:
        usable: Sequence[int] | None = _core.allowed_nodes()
    else:
        # Its cpuset is the kernel's business: only that a node has memory can be known here.
        usable = _with_memory()
    if usable is None:
        return next((node for node in nodes if not 0 <= node < _core.MAX_NODES), None)
    return next((node for node in nodes if node not in usable), None)


def _with_memory() -> Sequence[int] | None:
    # One file instead of all of sysfs, which would cost more than to move a small region.
    try:
        return sysfs.read_ids(_HAS_MEMORY)
    except TopologyError:
        known = machine()
        return known.memory_nodes if known else None


def list_nodes(nodes: tuple[int, ...]) -> str:
    """Return node numbers for a sentence."""
    return ", ".join(map(str, nodes)) or "none"


def why_no_memory(node: int, now: Topology) -> str:
    """Tell apart the nodes without memory: offline, empty, or not there at all."""
    if node in now.offline_nodes:
        return f"node {node} is offline: this machine may have it, and its memory is not plugged in"
    if node in now.nodes:
        return f"node {node} has CPUs only and no memory"
    return f"node {node} is not a node of this machine"


def describe_room(nodes: tuple[int, ...]) -> str:
    """Return how much of these nodes is free at this moment, or that they may not be used."""
    now = machine()
    known = [now.nodes[node] for node in nodes if node in now.nodes] if now else []
    return ", ".join(
        f"node {node.id} has {format_bytes(node.memory_free)} of {format_bytes(node.memory_total)} "
        + ("free" if node.allowed else "free, but the cpuset of this process forbids it")
        for node in known
    )
