"""Tell which nodes can be targets, and why others cannot, without trying to move a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .. import _core
from ..units import format_bytes
from . import sysfs
from .sysfs import TopologyError
from .topology import Topology
from .topology_reader import read_topology

_HAS_MEMORY = Path("/sys/devices/system/node/has_memory")


def machine() -> Topology | None:
    """Return the nodes of this machine; None if sysfs does not show them."""
    try:
        return read_topology()
    except (TopologyError, ValueError):
        return None


def unusable_node(nodes: list[int], pid: int) -> int | None:
    """Return the first of `nodes` that is known to be unusable as a target, if any."""
    usable: Sequence[int] | None = _core.allowed_nodes() if pid == 0 else None
    # The cpuset is unknown, of another process or where a sandbox leaves no call that the kernel
    # could refuse a node by: only whether a node has memory is known.
    if usable is None and (pid != 0 or _core.engine() == "proc"):
        usable = _with_memory()
    if usable is None:
        return next((node for node in nodes if not 0 <= node < _core.MAX_NODES), None)
    return next((node for node in nodes if node not in usable), None)


def _with_memory() -> Sequence[int] | None:
    # Read one file: reading all of sysfs would take longer than moving a small region.
    try:
        return sysfs.read_ids(_HAS_MEMORY)
    except TopologyError:
        known = machine()
        return known.memory_nodes if known else None


def list_nodes(nodes: tuple[int, ...]) -> str:
    """Format node numbers for a message."""
    return ", ".join(map(str, nodes)) or "none"


def why_no_memory(node: int, now: Topology) -> str:
    """Say why a node has no memory: it is offline, has none, or does not exist."""
    if node in now.offline_nodes:
        return f"node {node} is offline: this machine may have it, but its memory is not plugged in"
    if node in now.nodes:
        return f"node {node} has no memory"
    return f"node {node} is not a node of this machine"


def describe_room(nodes: tuple[int, ...]) -> str:
    """Describe the memory that is free on each node now, and say if the cpuset forbids it."""
    now = machine()
    known = [now.nodes[node] for node in nodes if node in now.nodes] if now else []
    return ", ".join(
        f"node {node.id} has {format_bytes(node.memory_free)} of {format_bytes(node.memory_total)} "
        + ("free" if node.allowed else "free, but the cpuset of this process forbids it")
        for node in known
    )
