"""The NUMA nodes of this machine, as the kernel describes them in sysfs."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from . import _sysfs
from ._sysfs import TopologyError, format_ids
from .topology_table import table

__all__ = ["HugePagePool", "Node", "Topology", "TopologyError", "topology"]

V = TypeVar("V")
_LOCAL_DISTANCE = 10  # the ACPI SLIT value, and the kernel's, for a node to itself
_ATTEMPTS = 5


class _ById(Mapping[int, V]):
    """An immutable mapping in id order, whose KeyError says which ids there are."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[int, V]) -> None:
        self._items = dict(sorted(items.items()))

    def __getitem__(self, key: int) -> V:
        try:
            return self._items[key]
        except KeyError:
            raise KeyError(f"no {key!r} here: there are {format_ids(self._items)}") from None

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
        The kernel's number of the node.
    cpus : tuple of int
        Its online CPUs, ascending; empty for a memory-only node such as CXL memory.
    memory_total, memory_free : int
        Bytes (`si_meminfo_node`); a node without memory has 0.
    has_memory : bool
        Whether the kernel counts it among the nodes with memory (N_MEMORY). `move_pages` answers
        ENODEV for others.
    allowed : bool
        Whether it has memory and the cpuset lets pages be put there.
    distances : Mapping of int to int
        The distance from here to each node by id: 10 is local, 20 twice as far.
    huge_pages : Mapping of int to HugePagePool
        The hugetlb pools by page size in bytes.

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
    """The NUMA nodes of a machine at one moment; `str` of it is a table of 80 columns.

    Attributes
    ----------
    nodes : Mapping of int to Node
        The online nodes in id order. Ids may be sparse: iterate, do not count.
    offline_nodes : tuple of int
        Ids the kernel sets aside for nodes that are not there now.
    page_size : int
        Bytes of the base page of the running system.
    huge_page_sizes : tuple of int
        Bytes of each hugetlb page size, ascending; empty if the kernel has none.
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
        """Ids of the nodes with memory where the cpuset lets pages be put."""
        return tuple(i for i, node in self.nodes.items() if node.allowed)

    def node(self, node_id: int) -> Node:
        """Return one node; KeyError, saying which nodes there are, if it is not online."""
        if node_id in self.nodes:
            return self.nodes[node_id]
        why = "is offline" if node_id in self.offline_nodes else "does not exist"
        raise KeyError(f"node {node_id!r} {why}: the online nodes are {format_ids(self.nodes)}")

    def distance(self, a: int, b: int) -> int:
        """Return the distance from node `a` to node `b`; KeyError if either is not online."""
        return self.node(a).distances[self.node(b).id]

    def distance_matrix(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Return all distances as an array.

        Returns
        -------
        ids : ndarray of int32, shape (n,)
            The node of each row and column.
        matrix : ndarray of int32, shape (n, n)
            ``matrix[i, j]`` is the distance from node ``ids[i]`` to node ``ids[j]``. Firmware may
            make it asymmetric.

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


def topology(
    sysfs: str | os.PathLike[str] = "/sys", *, allowed: Iterable[int] | None = None
) -> Topology:
    """Read the machine's NUMA nodes. Nothing is cached: every call reads again.

    Parameters
    ----------
    sysfs : path
        Where sysfs is mounted, or a copy of another machine's. What belongs to procfs is read
        from the ``proc`` beside it.
    allowed : iterable of int, optional
        Nodes to take as allowed by the cpuset; those without memory or not online do not count.
        By default, what the calling thread's cpuset allows (``Mems_allowed_list``), and every
        node with memory where there is no procfs or it does not tell.

    Returns
    -------
    Topology

    Raises
    ------
    TopologyError
        An `OSError`: sysfs is hidden, or a file in it is missing or malformed.

    Notes
    -----
    A node that is unplugged during the call is left out. A kernel without CONFIG_NUMA has one
    node 0, with all CPUs and the memory of /proc/meminfo.
    Source: Documentation/ABI/stable/sysfs-devices-node, drivers/base/node.c.

    Examples
    --------
    >>> import movepages as mp
    >>> machine = mp.topology()
    >>> free = {i: machine.nodes[i].memory_free for i in machine.allowed_nodes}
    """
    root = Path(sysfs)
    proc = root.parent / "proc"
    cpuset = _sysfs.mems_allowed(proc) if allowed is None else _checked_ids(allowed)
    base = root / "devices" / "system" / "node"
    numa = base.is_dir()
    if numa:
        nodes, offline = _read_nodes(base, cpuset)
    elif (root / "devices" / "system" / "cpu").is_dir():
        nodes, offline = {0: _whole_machine(root, proc, cpuset)}, ()
    else:
        raise TopologyError(
            f"{base} does not exist, and neither does the cpu directory beside it: expected "
            f"sysfs at {root}. Mount it (mount -t sysfs sysfs /sys), or, in a container or "
            "sandbox that hides it, make it visible"
        )
    sizes = {size for size, _ in _sysfs.pool_directories(root / "kernel" / "mm" / "hugepages")}
    sizes.update(size for node in nodes.values() for size in node.huge_pages)
    page_size = os.sysconf("SC_PAGE_SIZE")
    return Topology(_ById(nodes), offline, page_size, tuple(sorted(sizes)), numa)


def _checked_ids(ids: Iterable[int]) -> frozenset[int]:
    try:
        checked = frozenset(map(operator.index, ids))
    except TypeError:
        raise TypeError(f"allowed: expected an iterable of node ids, got {ids!r}") from None
    if any(i < 0 for i in checked):
        raise ValueError(f"allowed: expected node ids of 0 or more, got {sorted(checked)}")
    return checked


def _read_nodes(
    base: Path, cpuset: frozenset[int] | None
) -> tuple[dict[int, Node], tuple[int, ...]]:
    """Read all online nodes, again if nodes come or go meanwhile, so that the files agree."""
    for _ in range(_ATTEMPTS):
        failure = None
        online = _sysfs.read_ids(base / "online")
        try:
            possible = _sysfs.read_ids(base / "possible")
            found = {i: _read_node(base, i, online, cpuset) for i in online}
        except TopologyError as err:
            failure = err
        if _sysfs.read_ids(base / "online") == online:
            break
    if failure:
        raise failure
    nodes = {i: node for i, node in found.items() if node is not None}
    for i, node in nodes.items():
        there = _ById({j: d for j, d in node.distances.items() if j in nodes})
        nodes[i] = replace(node, distances=there)
    if not nodes:
        raise TopologyError(
            f"{base}: none of the online nodes ({format_ids(online)}) has a directory "
            "here: expected node0 or others. Is this a part of sysfs only?"
        )
    return nodes, tuple(i for i in possible if i not in online)


def _read_node(
    base: Path, node_id: int, online: tuple[int, ...], cpuset: frozenset[int] | None
) -> Node | None:
    """Read one node; None if it is gone."""
    directory = base / f"node{node_id}"
    try:
        total, free = _sysfs.read_meminfo(directory / "meminfo")
        try:
            has_memory = node_id in _sysfs.read_ids(base / "has_memory")
        except _sysfs.MissingFileError:
            # Old kernels had only has_normal_memory, which leaves out movable-only nodes.
            has_memory = total > 0
        return Node(
            id=node_id,
            cpus=_sysfs.read_ids(directory / "cpulist"),
            memory_total=total,
            memory_free=free,
            has_memory=has_memory,
            allowed=has_memory and (cpuset is None or node_id in cpuset),
            distances=_sysfs.read_distances(directory / "distance", online),
            huge_pages=_read_pools(directory / "hugepages"),
        )
    except _sysfs.MissingFileError:
        if directory.is_dir():
            raise
        return None


def _whole_machine(root: Path, proc: Path, cpuset: frozenset[int] | None) -> Node:
    """Return the node 0 that stands for a machine whose kernel knows no nodes."""
    total, free = _sysfs.read_meminfo(proc / "meminfo")
    return Node(
        id=0,
        cpus=_sysfs.read_ids(root / "devices" / "system" / "cpu" / "online"),
        memory_total=total,
        memory_free=free,
        has_memory=True,
        allowed=cpuset is None or 0 in cpuset,
        distances=_ById({0: _LOCAL_DISTANCE}),
        huge_pages=_read_pools(root / "kernel" / "mm" / "hugepages"),
    )


def _read_pools(directory: Path) -> Mapping[int, HugePagePool]:
    files = ("nr_hugepages", "free_hugepages", "surplus_hugepages")
    return _ById(
        {
            size: HugePagePool(*(_sysfs.read_count(pool / name) for name in files))
            for size, pool in _sysfs.pool_directories(directory)
        }
    )


def _node_as_dict(node: Node) -> dict[str, Any]:
    # JSON has no integer keys: huge pages become a list, distances are keyed by str.
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
