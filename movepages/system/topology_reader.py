"""Read the NUMA nodes of a machine from sysfs."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ..units import format_ids
from .devices import read_devices
from .node import ById, HugePagePool, Node
from .node_performance import read_access, read_tiers, read_weights
from .sysfs import (
    MissingFileError,
    TopologyError,
    is_directory,
    mems_allowed,
    pool_directories,
    read_count,
    read_distances,
    read_ids,
    read_meminfo,
)
from .topology import Topology

_LOCAL_DISTANCE = 10  # from a node to itself, in the ACPI SLIT and in the kernel
_ATTEMPTS = 5
_SYSFS = Path("/sys")


def topology(
    sysfs: str | os.PathLike[str] = "/sys", *, allowed: Iterable[int] | None = None
) -> Topology:
    """Read the machine's NUMA nodes. Nothing is cached; every call reads them again.

    Parameters
    ----------
    sysfs : path
        Where sysfs is mounted, or a copy of another machine's sysfs. Files of procfs are read from
        the ``proc`` directory beside it.
    allowed : iterable of int, optional
        Nodes to treat as allowed by the cpuset; nodes that are offline or have no memory are
        ignored. By default, the nodes that the calling thread's cpuset allows
        (``Mems_allowed_list``), or every node with memory if procfs is missing or does not list
        them.

    Returns
    -------
    Topology

    Raises
    ------
    TopologyError
        Sysfs is hidden, or a file in it is missing or malformed. This is an `OSError`.

    Notes
    -----
    A node that is unplugged during the call is left out. For a kernel without CONFIG_NUMA, the
    result has only node 0, with all CPUs and the memory that /proc/meminfo reports.
    Source: Documentation/ABI/stable/sysfs-devices-node, drivers/base/node.c.

    Examples
    --------
    >>> import movepages as mp
    >>> machine = mp.topology()
    >>> free = {i: machine.nodes[i].memory_free for i in machine.allowed_nodes}
    """
    root = Path(sysfs)
    machine = read_topology(root, allowed)
    devices = read_devices(root)
    if len(machine.nodes) == 1:
        # Whatever the platform tells, every device is near the only node.
        only = next(iter(machine.nodes))
        devices = tuple(replace(device, node=only) for device in devices)
    return replace(machine, devices=devices)


def read_topology(root: Path = _SYSFS, allowed: Iterable[int] | None = None) -> Topology:
    """Read the nodes as `topology` does, without the devices, of which there may be hundreds."""
    proc = root.parent / "proc"
    cpuset = mems_allowed(proc) if allowed is None else _checked_ids(allowed)
    base = root / "devices" / "system" / "node"
    numa = is_directory(base)
    if numa:
        nodes, offline = _read_nodes(base, cpuset)
    elif is_directory(root / "devices" / "system" / "cpu"):
        nodes, offline = {0: _whole_machine(root, proc, cpuset)}, ()
    else:
        raise TopologyError(
            f"{base} does not exist, and neither does the cpu directory beside it: expected "
            f"sysfs at {root}. Mount it (mount -t sysfs sysfs /sys); if a container or sandbox "
            "hides it, make it visible there"
        )
    sizes = {size for size, _ in pool_directories(root / "kernel" / "mm" / "hugepages")}
    sizes.update(size for node in nodes.values() for size in node.huge_pages)
    page_size = os.sysconf("SC_PAGE_SIZE")
    tiers, (weights, auto) = read_tiers(root), read_weights(root)
    nodes = {
        i: replace(node, tier=tiers.get(i), weight=weights.get(i)) for i, node in nodes.items()
    }
    pools = tuple(sorted(sizes))
    return Topology(ById(nodes), offline, page_size, pools, numa, auto_weights=auto)


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
    """Read all online nodes; read them again if nodes come or go, so that the files agree."""
    for _ in range(_ATTEMPTS):
        failure = None
        online = read_ids(base / "online")
        try:
            possible = read_ids(base / "possible")
            found = {i: _read_node(base, i, online, cpuset) for i in online}
        except TopologyError as err:
            failure = err
        if read_ids(base / "online") == online:
            break
    if failure:
        raise failure
    nodes = {i: node for i, node in found.items() if node is not None}
    for i, node in nodes.items():
        there = ById({j: d for j, d in node.distances.items() if j in nodes})
        nodes[i] = replace(node, distances=there)
    if not nodes:
        raise TopologyError(
            f"{base}: none of the online nodes ({format_ids(online)}) has a directory "
            "here: expected node0 or others. Is this an incomplete copy of sysfs?"
        )
    return nodes, tuple(i for i in possible if i not in online)


def _read_node(
    base: Path, node_id: int, online: tuple[int, ...], cpuset: frozenset[int] | None
) -> Node | None:
    """Read one node; None if it has been unplugged."""
    directory = base / f"node{node_id}"
    try:
        total, free = read_meminfo(directory / "meminfo")
        try:
            has_memory = node_id in read_ids(base / "has_memory")
        except MissingFileError:
            # Old kernels had only has_normal_memory, which omits nodes with movable memory only.
            has_memory = total > 0
        return Node(
            id=node_id,
            cpus=read_ids(directory / "cpulist"),
            memory_total=total,
            memory_free=free,
            has_memory=has_memory,
            allowed=has_memory and (cpuset is None or node_id in cpuset),
            distances=read_distances(directory / "distance", online),
            huge_pages=_read_pools(directory / "hugepages"),
            access=ById(dict(read_access(directory))),
        )
    except MissingFileError:
        if is_directory(directory):
            raise
        return None


def _whole_machine(root: Path, proc: Path, cpuset: frozenset[int] | None) -> Node:
    """Return node 0, which stands for the whole machine if its kernel knows no nodes."""
    total, free = read_meminfo(proc / "meminfo")
    return Node(
        id=0,
        cpus=read_ids(root / "devices" / "system" / "cpu" / "online"),
        memory_total=total,
        memory_free=free,
        has_memory=True,
        allowed=cpuset is None or 0 in cpuset,
        distances=ById({0: _LOCAL_DISTANCE}),
        huge_pages=_read_pools(root / "kernel" / "mm" / "hugepages"),
    )


def _read_pools(directory: Path) -> Mapping[int, HugePagePool]:
    files = ("nr_hugepages", "free_hugepages", "surplus_hugepages")
    return ById(
        {
            size: HugePagePool(*(read_count(pool / name) for name in files))
            for size, pool in pool_directories(directory)
        }
    )
