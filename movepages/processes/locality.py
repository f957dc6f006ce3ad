"""How much of a process's memory is near the CPUs that its threads may run on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..results.plain import by_node
from ..system.topology import Topology
from ..units import format_bytes


@dataclass(frozen=True)
class Locality:
    """Memory of some processes, and whether it is near their threads.

    Attributes
    ----------
    bytes_per_node : Mapping of int to int
        Memory on each node, leaving out nodes that have none.
    threads : int
        Number of threads.
    near : float or None
        Share of the memory that is near the threads. It is the probability that a random page is
        near a CPU that is drawn at random from those of a random thread. None without memory.

    Notes
    -----
    A node without CPUs, such as CXL memory, is near the CPUs that `Topology.cpu_nodes_near` names.
    The CPUs of a node without memory are near the nodes with memory at the least distance.
    """

    bytes_per_node: Mapping[int, int] = field(default_factory=dict)
    threads: int = 0
    near: float | None = None

    @property
    def nbytes(self) -> int:
        """Memory on all nodes."""
        return sum(self.bytes_per_node.values())

    def __str__(self) -> str:
        parts = [f"node {node}: {format_bytes(n)}" for node, n in self.bytes_per_node.items()]
        share = "" if self.near is None else f", {self.near:.1%} near {self.threads:,} threads"
        return (", ".join(parts) or "no memory") + share

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`."""
        return {
            "bytes_per_node": by_node(self.bytes_per_node),
            "nbytes": self.nbytes,
            "threads": self.threads,
            "near": self.near,
        }


def homes(machine: Topology) -> dict[int, int]:
    """Return the node of each CPU."""
    return {cpu: node for node in machine.cpu_nodes for cpu in machine.nodes[node].cpus}


def locality(
    machine: Topology, bytes_per_node: Mapping[int, int], threads: Iterable[Iterable[int]]
) -> Locality:
    """Return the locality of memory, and of threads with these CPUs.

    Examples
    --------
    >>> cpus = topology().nodes[0].cpus
    >>> locality(topology(), {0: 4096}, [cpus, cpus[:1]])
    Locality(bytes_per_node={0: 4096}, threads=2, near=1.0)
    """
    held = {node: n for node, n in sorted(bytes_per_node.items()) if n}
    home = homes(machine)
    near = {
        node: sum(held.get(each, 0) for each in memory_near(machine, node))
        for node in machine.cpu_nodes
    }
    total, shares = sum(held.values()), []
    for cpus in threads:
        nodes = Counter(home[cpu] for cpu in cpus if cpu in home)
        found = sum(near[node] * count for node, count in nodes.items())
        shares.append(found / max(nodes.total() * total, 1))
    known = sum(shares) / len(shares) if shares and total else None
    return Locality(held, len(shares), known)


def memory_near(machine: Topology, node: int) -> set[int]:
    """Return the nodes with memory that are near the CPUs of a node."""
    memory = machine.memory_nodes
    closest = min((machine.distance(node, each) for each in memory), default=0)
    mine = {each for each in memory if machine.distance(node, each) == closest}
    return mine | {each for each in memory if node in machine.cpu_nodes_near(each)}
