"""The shares of nodes in a weighted layout that the kernel or the firmware suggests."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..system.sysfs import TopologyError
from ..system.topology import Topology
from ..units import format_ids

# The kernel's number of turns in all.
_TURNS = 32


def known_shares(machine: Topology) -> Mapping[int, int]:
    """Return the kernel's weights of the allowed nodes, or weights by their bandwidths.

    Raises
    ------
    TopologyError
        Nothing tells weights; the message says what is missing.

    Notes
    -----
    Source: ``reduce_interleave_weights`` in mm/mempolicy.c of Linux 6.16, which computes weights
    by the smaller of the bandwidths to read and to write.
    """
    nodes = [machine.nodes[i] for i in machine.allowed_nodes]
    weights = {node.id: node.weight for node in nodes if node.weight is not None}
    # Before Linux 6.16, weights are 1 until an administrator sets others.
    chosen = machine.auto_weights is not None or len(set(weights.values())) > 1
    if nodes and len(weights) == len(nodes) and chosen:
        return weights
    widths: dict[int, int] = {}
    for node in nodes:
        way = node.from_cpus
        if way and way.read_bandwidth and way.write_bandwidth:
            widths[node.id] = min(way.read_bandwidth, way.write_bandwidth)
    if nodes and len(widths) == len(nodes):
        total = sum(widths.values())
        turns = {node: max(_TURNS * width // total, 1) for node, width in widths.items()}
        return {node: count // math.gcd(*turns.values()) for node, count in turns.items()}
    if nodes and len(weights) == len(nodes):
        return weights
    untold = format_ids(node.id for node in nodes if node.id not in widths)
    raise TopologyError(
        "shares: expected a mapping such as {0: 2, 1: 1}, because this machine suggests none: the "
        "kernel has no weights (it needs Linux 6.9 and CONFIG_NUMA), and firmware does not report "
        f"the bandwidth of node {untold or 'any'}"
    )
