"""Read-only copies of data, one on each of several nodes: replicate()."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np

from .. import _core
from ..layouts.blocks import blocks
from ..pages.arguments import Count, listed_nodes
from ..pages.buffers import footprint_of
from ..system.log import info
from ..system.topology_reader import read_topology
from ..system.zone_reserves import zone_reserves
from .copies import Copier
from .creation import empty
from .node_room import refuse_full_nodes
from .placed_pages import free_pages
from .policies import bind
from .policy_modes import refuse_unusable


class Replicas:
    """Copies of the same data, each wholly on its node: what `replicate` returns.

    It is a context manager, whose end calls `close`.

    Attributes
    ----------
    nodes : tuple of int
        The nodes that have a copy.
    nbytes : int
        Bytes of one copy.
    """

    def __init__(self, copies: dict[int, Any], nbytes: int) -> None:
        self.nodes, self.nbytes = tuple(copies), nbytes
        self._copies = copies
        self._by_cpu = _nearest_copies(copies)

    @property
    def here(self) -> Any:
        """The copy nearest to the CPU that this thread runs on now.

        It takes less than a microsecond. A thread that the scheduler moves to another node finds
        another copy there.
        """
        return self._by_cpu[_core.current_cpu()]

    def on(self, node: int) -> Any:
        """Return the copy on a node.

        Parameters
        ----------
        node : int
            One of `nodes`.

        Returns
        -------
        object
            Built as what was replicated; its arrays are read-only.

        Raises
        ------
        KeyError
            The node has no copy.
        """
        if node not in self._copies:
            raise KeyError(f"no copy on node {node!r}: {self._told()}")
        return self._copies[node]

    def as_dict(self) -> dict[str, Any]:
        """Return which nodes have a copy of how many bytes, ready for `json.dumps`."""
        return {"nodes": list(self.nodes), "nbytes": self.nbytes}

    def close(self) -> None:
        """Forget the copies. Each is freed with the last of its arrays that is still in use."""
        self._copies.clear()
        self._by_cpu = _NoCopies(())

    def _told(self) -> str:
        return f"the copies are on {list(self._copies)}" if self._copies else "they are closed"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def __movepages_buffers__(self) -> Iterator[tuple[str, object]]:
        if not self._copies:
            raise ValueError("these replicas are closed")
        for node, copy in self._copies.items():
            yield f"node{node}", copy

    def __repr__(self) -> str:
        return f"<Replicas of {self.nbytes:,} bytes on nodes {list(self._copies)}>"


class _NoCopies(tuple[Any, ...]):
    def __getitem__(self, _cpu: object) -> Any:
        raise ValueError("these replicas are closed")


def replicate(a: object, nodes: Sequence[Count]) -> Replicas:
    """Copy read-only data to several nodes, so that each thread can read from its own.

    Parameters
    ----------
    a : ndarray, memmap, tensor, object with ``state_dict()``, or mapping, list or tuple of them
        A memmap is read in parts: beside the copies, its data are in the page cache alone. Arrays
        that share all of their memory, such as tied weights, share it in each copy. Other values
        in a container are passed on.
    nodes : sequence of int
        The nodes that get a copy; `a` itself stays where it is.

    Returns
    -------
    Replicas
        ``.here`` is the copy near the calling thread, ``.on(node)`` that on a node. Copies of
        numpy arrays are read-only. Torch has no read-only tensors: do not write to them.

    Raises
    ------
    TypeError, ValueError
        `a` holds no array, an array of objects, or a tensor on another device; `nodes` is empty.
    MovePagesError
        A node has no memory or is not allowed, or has too little memory (also a MemoryError). This
        is checked for all nodes first; the message says how much is missing.
    KeyboardInterrupt
        The call was interrupted between two parts of 4 MiB. The copies are freed.

    Notes
    -----
    All arrays of a copy lie in one mapping, whose pages are allocated on the node and bound to it,
    so that automatic NUMA balancing does not move them. Replication pays where all nodes read the
    same data often: each node's memory holds all of it.

    Examples
    --------
    >>> node = topology().allowed_nodes[0]
    >>> table = np.arange(1 << 16)
    >>> with replicate(table, [node]) as tables:
    ...     tables.here.sum() == table.sum()
    np.True_
    """
    wanted = list(dict.fromkeys(listed_nodes(nodes)))
    refuse_unusable(wanted)
    copier = Copier(a)
    pages = -(-copier.nbytes // mmap.PAGESIZE)
    refuse_full_nodes(dict.fromkeys(wanted, pages * mmap.PAGESIZE), zone_reserves())
    memories = []
    try:
        for node in wanted:
            memories.append(empty(copier.nbytes, np.uint8, layout=blocks([node])))
            if copier.nbytes:
                bind(memories[-1], node)
        copies = copier.copy_into(memories)
    except BaseException:
        # The traceback keeps the memories alive.
        for memory in memories:
            free_pages(footprint_of(memory))
        raise
    made = Replicas(dict(zip(wanted, copies, strict=True)), copier.nbytes)
    info("replicate: %r", made)
    return made


def _nearest_copies(copies: dict[int, Any]) -> Sequence[Any]:
    """Return the copy for each CPU, by its number."""
    machine = read_topology()
    nearest: dict[int, Any] = {}
    for home in machine.nodes.values():
        node = min(copies, key=lambda node: (home.distances.get(node, np.inf), node))
        nearest.update(dict.fromkeys(home.cpus, copies[node]))
    # A CPU may come online later.
    most = max(nearest, default=0) + 1024
    first = next(iter(copies.values()))
    return [nearest.get(cpu, first) for cpu in range(most)]
