"""The NUMA nodes of a machine at one moment, as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ..display.topology_table import table
from ..units import format_ids

V = TypeVar("V")


class ById(Mapping[int, V]):
    """An immutable mapping in id order; its KeyError lists the ids."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[int, V]) -> None:
        self._items = dict(sorted(items.items()))

    def __getitem__(self, key: int) -> V:
        try:
            return self._items[key]
        except KeyError:
            raise KeyError(f"no entry {key!r}: expected one of {format_ids(self._items)}") from None

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __iter__(self) -> Iterator[int]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(tuple(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


class HugePagePool(NamedTuple):
    """The hugetlb pool of one page size on one node, counted in huge pages.

    `total` includes `surplus`, the pages allocated beyond the configured number; `free` pages
    may be reserved for mappings that have not touched them yet.
    Source: Documentation/ABI/testing/sysfs-kernel-mm-hugepages.
    """

    total: int
    free: int
    surplus: int


@dataclass(frozen=True, slots=True)
class Node:
    """One online NUMA node.

    Attributes
    ----------
    id : int
        The kernel's number for the node.
    cpus : tuple of int
        The node's online CPUs, ascending; empty for a memory-only node such as CXL memory.
    memory_total, memory_free : int
        Bytes (`si_meminfo_node`); 0 for a node without memory.
    has_memory : bool
        Whether the kernel counts the node among those with memory (N_MEMORY). `move_pages` answers
        ENODEV for other nodes.
    allowed : bool
        Whether the node has memory and the cpuset allows pages there.
    distances : Mapping of int to int
        The distance from this node to each node, by id: 10 is local, 20 is twice as far.
    huge_pages : Mapping of int to HugePagePool
        The node's hugetlb pools, by page size in bytes.

    Notes
    -----
    Source: Documentation/ABI/stable/sysfs-devices-node.
    """

    id: int
    cpus: tuple[int, ...]
    memory_total: int
    memory_free: int
    has_memory: bool
    allowed: bool
    distances: Mapping[int, int]
    huge_pages: Mapping[int, HugePagePool]

    @property
    def has_cpus(self) -> bool:
        """Whether the node has a CPU that is online."""
        return bool(self.cpus)


@dataclass(frozen=True, slots=True)
class Topology:
    """The NUMA nodes of a machine at one moment; `str` gives a table of 80 columns.

    Attributes
    ----------
    nodes : Mapping of int to Node
        The online nodes in id order. Ids may be sparse: iterate over them, do not count.
    offline_nodes : tuple of int
        Ids that the kernel reserves for nodes that are not online.
    page_size : int
        Base page size of the running system, in bytes.
    huge_page_sizes : tuple of int
        The hugetlb page sizes in bytes, ascending; empty if the kernel has none.
    numa : bool
        False for a kernel without CONFIG_NUMA: node 0 then stands for the whole machine, and
        `move_pages` answers ENOSYS.
    """

    nodes: Mapping[int, Node]
    offline_nodes: tuple[int, ...]
    page_size: int
    huge_page_sizes: tuple[int, ...]
    numa: bool = True

    @property
    def memory_nodes(self) -> tuple[int, ...]:
        """Ids of the nodes with memory."""
        return tuple(i for i, node in self.nodes.items() if node.has_memory)

    @property
    def cpu_nodes(self) -> tuple[int, ...]:
        """Ids of the nodes with CPUs."""
        return tuple(i for i, node in self.nodes.items() if node.has_cpus)

    @property
    def allowed_nodes(self) -> tuple[int, ...]:
        """Ids of the nodes that have memory and on which the cpuset allows pages."""
        return tuple(i for i, node in self.nodes.items() if node.allowed)

    def node(self, node_id: int) -> Node:
        """Return one node; if it is not online, raise a KeyError that lists the online nodes."""
        if node_id in self.nodes:
            return self.nodes[node_id]
        why = "is offline" if node_id in self.offline_nodes else "does not exist"
        raise KeyError(f"node {node_id!r} {why}: the online nodes are {format_ids(self.nodes)}")

    def distance(self, a: int, b: int) -> int:
        """Return the distance from node `a` to node `b`; KeyError if either is not online."""
        return self.node(a).distances[self.node(b).id]

    def node_near(self, cpu: int) -> int:
        """Return the allowed node with memory that is nearest to a CPU.

        Raises
        ------
        ValueError
            The CPU belongs to no node, or no node with memory is allowed.

        Examples
        --------
        >>> machine = topology()
        >>> machine.node_near(min(os.sched_getaffinity(0))) in machine.allowed_nodes
        True
        """
        home = next((node.id for node in self.nodes.values() if cpu in node.cpus), None)
        if home is None:
            known = sorted(cpu for node in self.nodes.values() for cpu in node.cpus)
            raise ValueError(f"cpus: {cpu} is not a CPU of any node, expected one of {known}")
        near = [node for node in self.allowed_nodes if self.nodes[node].has_memory]
        if not near:
            raise ValueError(f"cpus: no node is near CPU {cpu}: no node with memory is allowed")
        return min(near, key=lambda node: (self.distance(home, node), node))

    def distance_matrix(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Return all distances as an array.

        Returns
        -------
        ids : ndarray of int32, shape (n,)
            The node of each row and column.
        matrix : ndarray of int32, shape (n, n)
            ``matrix[i, j]`` is the distance from node ``ids[i]`` to node ``ids[j]``. Firmware
            may make the matrix asymmetric.

        Examples
        --------
        >>> ids, matrix = topology().distance_matrix()
        >>> nearest_first = ids[matrix[0].argsort(kind="stable")]
        """
        rows = [[self.distance(a, b) for b in self.nodes] for a in self.nodes]
        return np.array(list(self.nodes), dtype=np.int32), np.array(rows, dtype=np.int32)

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists, strings and numbers, ready for `json.dumps`; sizes in bytes."""
        return {
            "numa": self.numa,
            "page_size": self.page_size,
            "huge_page_sizes": list(self.huge_page_sizes),
            "offline_nodes": list(self.offline_nodes),
            "nodes": [_node_as_dict(node) for node in self.nodes.values()],
        }

    def __str__(self) -> str:
        return table(self)

    def _repr_html_(self) -> str:
        from ..display.html import topology_html

        return topology_html(self)


def _node_as_dict(node: Node) -> dict[str, Any]:
    # JSON has no integer keys, so huge pages become a list and distances get string keys.
    return {
        "id": node.id,
        "cpus": list(node.cpus),
        "memory_total": node.memory_total,
        "memory_free": node.memory_free,
        "has_memory": node.has_memory,
        "allowed": node.allowed,
        "distances": {str(i): d for i, d in node.distances.items()},
        "huge_pages": [{"size": s, **p._asdict()} for s, p in node.huge_pages.items()],
    }
