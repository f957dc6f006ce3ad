"""Which memory is near the CPUs of a node."""

from __future__ import annotations

from collections.abc import Mapping

from ..processes.locality import memory_near
from ..system.node import Node
from ..system.topology import Topology


def near_share(machine: Topology, held: Mapping[int, int], node: int) -> float:
    """Return the share of memory that is near the CPUs of a node."""
    near = nodes_near(machine, node)
    return sum(n for each, n in held.items() if each in near) / max(sum(held.values()), 1)


def nodes_near(machine: Topology, node: int) -> set[int]:
    """Return the nodes with memory at the least distance, and those near with faster memory.

    Memory without CPUs, such as CXL, is no nearer than that of another socket. Faster memory, such
    as HBM, is in a memory tier with a smaller number, or firmware tells a higher bandwidth of it.
    """
    memory = machine.memory_nodes
    closest = min((machine.distance(node, each) for each in memory), default=0)
    near = {each for each in memory if machine.distance(node, each) == closest}
    others = memory_near(machine, node) - near
    return near | {
        each
        for each in others
        if all(_is_faster(machine.nodes[each], machine.nodes[one]) for one in near)
    }


def _is_faster(one: Node, other: Node) -> bool:
    if one.tier is not None and other.tier is not None and one.tier != other.tier:
        return one.tier < other.tier
    mine, others = (each.from_cpus and each.from_cpus.read_bandwidth for each in (one, other))
    return mine is not None and others is not None and mine > others
