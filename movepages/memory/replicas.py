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

    As a context manager, it calls `close` at the end of the block.

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

        The lookup takes less than a microsecond. After the scheduler has moved a thread to another
        node, `here` is the copy nearest to that node.
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
            An object of the same structure as the original; its numpy arrays are read-only.

        Raises
        ------
        KeyError
            The node has no copy.
        """
        if node not in self._copies:
            raise KeyError(f"no copy on node {node!r}: {self._told()}")
        return self._copies[node]

    def as_dict(self) -> dict[str, Any]:
        """Return the nodes with a copy and the bytes of one copy, ready for `json.dumps`."""
        return {"nodes": list(self.nodes), "nbytes": self.nbytes}

    def close(self) -> None:
        """Drop the copies; each is freed when none of its arrays is in use any more."""
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
    """Copy read-only data to several nodes, so that each thread can read from its own node.

    Parameters
    ----------
    a : ndarray, memmap, tensor, object with ``state_dict()``, or mapping, list or tuple of them
        A memmap is read in parts, so that besides the copies only the page cache holds its data.
        Arrays that share all of their memory, such as tied weights, share it in each copy too.
        Other values in a container are kept as they are.
    nodes : sequence of int
        The nodes that get a copy; `a` itself stays where it is.

    Returns
    -------
    Replicas
        ``.here`` is the copy near the calling thread, ``.on(node)`` the copy on a node. Copies of
        numpy arrays are read-only. Torch has no read-only tensors: do not write to their copies.

    Raises
    ------
    TypeError, ValueError
        `a` contains no array, or contains an array of objects or a tensor on another device; or
        `nodes` is empty.
    MovePagesError
        A node has no memory or is not allowed, or has too little memory (also a MemoryError). All
        nodes are checked before anything is copied; the message says how much memory is missing.
    KeyboardInterrupt
        The call was interrupted between two parts of 4 MiB. The copies are freed.

    Notes
    -----
    All arrays of a copy lie in one mapping. Its pages are allocated on the node and bound to it, so
    that automatic NUMA balancing does not move them. Each node's memory then holds all of the data,
    so replicate data that the threads of all nodes read often.

    Examples
    --------
    >>> node = topology().allowed_nodes[0]
    >>> table = np.arange(1 << 16)
    >>> with replicate(table, [node]) as tables:
    ...     np.array_equal(tables.here, table)
    True
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
