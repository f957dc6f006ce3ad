"""The NUMA nodes of a machine at one moment, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ..display.frames import pandas
from ..display.topology_table import table
from ..units import format_bytes, format_ids
from .devices import Device
from .node import ById, Node

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# Fields of a node that hold several values, and have no place in a table.
_NESTED = ("distances", "huge_pages", "access")


@dataclass(frozen=True, slots=True, repr=False)
class Topology:
    """The NUMA nodes of a machine at one moment; `str` gives a table of 80 columns.

    Attributes
    ----------
    nodes : Mapping of int to Node
        The online nodes in id order. Ids may have gaps: iterate over this mapping, and not over
        ``range()``.
    offline_nodes : tuple of int
        Ids that the kernel reserves for nodes that are not online.
    page_size : int
        Base page size of the running system, in bytes.
    huge_page_sizes : tuple of int
        The hugetlb page sizes in bytes, ascending; empty if the kernel has none.
    numa : bool
        False for a kernel without CONFIG_NUMA: node 0 then stands for the whole machine, and
        move_pages(2) fails with ENOSYS.
    devices : tuple of Device
        Network cards, disks, GPUs and other devices, with the node that each is near.
    auto_weights : bool or None
        Whether the kernel computes the nodes' `weight` from their bandwidths; None before Linux
        6.16, which does not.
    """

    nodes: Mapping[int, Node]
    offline_nodes: tuple[int, ...]
    page_size: int
    huge_page_sizes: tuple[int, ...]
    numa: bool = True
    devices: tuple[Device, ...] = ()
    auto_weights: bool | None = None

    @property
    def memory_tiers(self) -> Mapping[int, tuple[int, ...]]:
        """Nodes of each memory tier, by the tier's number; a smaller number is faster memory."""
        found: dict[int, tuple[int, ...]] = {}
        for node in self.nodes.values():
            if node.tier is not None:
                found[node.tier] = (*found.get(node.tier, ()), node.id)
        return ById(found)

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
        if not self.allowed_nodes:
            raise ValueError(f"cpus: no node is near CPU {cpu}: no node with memory is allowed")
        return self.nearest_memory(home)

    def nearest_memory(self, node: int) -> int:
        """Return the allowed node with memory that is nearest to a node: itself, if it is one.

        Raises
        ------
        KeyError
            The node is not online.
        ValueError
            No node with memory is allowed.

        Examples
        --------
        >>> machine = topology()
        >>> machine.nearest_memory(min(machine.nodes)) in machine.allowed_nodes
        True
        """
        if not self.allowed_nodes:
            raise ValueError(f"no node is near node {node}: no node with memory is allowed")
        return min(self.allowed_nodes, key=lambda other: (self.distance(node, other), other))

    def nearest_cpus(self, node: int) -> int:
        """Return the node with CPUs that is nearest to the memory of a node.

        If several are equally near, it is the first of `cpu_nodes_near`.

        Raises
        ------
        KeyError
            The node is not online.
        ValueError
            No node has CPUs.

        Examples
        --------
        >>> machine = topology()
        >>> machine.nearest_cpus(machine.memory_nodes[0]) in machine.cpu_nodes
        True
        """
        return self.cpu_nodes_near(node)[0]

    def cpu_nodes_near(self, node: int) -> tuple[int, ...]:
        """Return the nodes with CPUs that are nearest to the memory of a node.

        This is the node itself if it has CPUs. Otherwise these are the initiators in `Node.access`,
        or, if it has none, the nodes with CPUs at the least distance.

        Returns
        -------
        tuple of int
            In ascending order.

        Raises
        ------
        KeyError
            The node is not online.
        ValueError
            No node has CPUs.

        Examples
        --------
        >>> machine = topology()
        >>> machine.cpu_nodes_near(machine.cpu_nodes[0]) == machine.cpu_nodes[:1]
        True
        """
        access, nodes = self.node(node).access, self.cpu_nodes
        if node in nodes:
            return (node,)
        for told in (access[k].initiators for k in (1, 0) if k in access):
            if found := tuple(each for each in nodes if each in told):
                return found
        if not nodes:
            raise ValueError(f"no node is near node {node}: no node has CPUs")
        closest = min(self.distance(each, node) for each in nodes)
        return tuple(each for each in nodes if self.distance(each, node) == closest)

    def cpus_near(self, node: int) -> tuple[int, ...]:
        """Return the CPUs of `cpu_nodes_near`, in ascending order.

        Raises
        ------
        KeyError, ValueError
            As for `cpu_nodes_near`.

        Examples
        --------
        >>> machine = topology()
        >>> node = machine.cpu_nodes[0]
        >>> machine.cpus_near(node) == machine.nodes[node].cpus
        True
        """
        near = self.cpu_nodes_near(node)
        return tuple(sorted(cpu for each in near for cpu in self.nodes[each].cpus))

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
        import numpy as np

        rows = [[self.distance(a, b) for b in self.nodes] for a in self.nodes]
        return np.array(list(self.nodes), dtype=np.int32), np.array(rows, dtype=np.int32)

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists, strings and numbers, ready for `json.dumps`; sizes in bytes."""
        return {
            "numa": self.numa,
            "page_size": self.page_size,
            "huge_page_sizes": list(self.huge_page_sizes),
            "offline_nodes": list(self.offline_nodes),
            "nodes": [node.as_dict() for node in self.nodes.values()],
            "devices": [device.as_dict() for device in self.devices],
            **({} if self.auto_weights is None else {"auto_weights": self.auto_weights}),
        }

    def to_pandas(self, of: str = "nodes") -> Any:
        """Return the nodes or the devices as a table.

        Parameters
        ----------
        of : {"nodes", "devices"}
            What the rows are. A table of nodes has a column for the distance to each node:
            ``distance0`` and so on.

        Returns
        -------
        pandas.DataFrame
            The index holds the ids of the nodes, or the names of the devices.

        Raises
        ------
        ImportError
            pandas is missing.
        ValueError
            `of` is something else.
        """
        if of not in ("nodes", "devices"):
            raise ValueError(f"of: expected 'nodes' or 'devices', got {of!r}")
        pd = pandas()
        if of == "devices":
            names = [each.name for each in fields(Device)]
            rows = [each.as_dict() for each in self.devices]
            return pd.DataFrame(rows, columns=names).set_index("name")
        names = [each.name for each in fields(Node) if each.name not in _NESTED]
        rows = [
            {name: getattr(node, name) for name in names}
            | {f"distance{other}": distance for other, distance in node.distances.items()}
            for node in self.nodes.values()
        ]
        return pd.DataFrame(rows).set_index("id")

    def __repr__(self) -> str:
        nodes = self.nodes.values()
        cpus = sum(len(node.cpus) for node in nodes)
        memory = format_bytes(sum(node.memory_total for node in nodes))
        ids = f"{'node' if len(nodes) == 1 else 'nodes'} {format_ids(self.nodes)}"
        return f"<Topology {ids}: {memory}, {cpus:,} CPU{'' if cpus == 1 else 's'}>"

    def __str__(self) -> str:
        return table(self)

    def _repr_html_(self) -> str:
        from ..display.html import topology_html

        return topology_html(self)
