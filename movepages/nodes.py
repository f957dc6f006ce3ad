"""Which nodes can be a target, as far as that can be known before the kernel is asked."""

from __future__ import annotations

from . import _core
from .topology import topology


def memory_nodes() -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return the nodes with memory and those of them allowed here; None where sysfs is hidden."""
    try:
        now = topology()
    except (OSError, ValueError):
        return None
    return now.memory_nodes, now.allowed_nodes


def unusable_node(nodes: list[int], pid: int) -> int | None:
    """Return the first of `nodes` that is known to be of no use as a target, if any."""
    if pid == 0:
        usable = _core.allowed_nodes()
    else:
        # Its cpuset is the kernel's business: only that a node has memory can be known here.
        known = memory_nodes()
        usable = list(known[0]) if known else None
    if usable is None:
        return next((node for node in nodes if not 0 <= node < _core.MAX_NODES), None)
    return next((node for node in nodes if node not in usable), None)
