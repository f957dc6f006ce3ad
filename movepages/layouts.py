"""Layouts: which page of an array belongs on which node, as values that move() and plan() take."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

from ._core import FRAME_BYTES
from .arrays import where
from .buffers import describe
from .footprint import Footprint
from .inputs import as_nodes
from .move_targets import Layout, MoveTarget, as_target
from .patterns import ByIndex, Cycle, Follow, Pattern, Shares
from .placement import Placement
from .topology_reader import topology

# With fewer huge pages a node, a cycle of huge pages is less even than one of small ones.
_FRAMES_A_NODE = 2
# Far more than any ratio of bandwidths needs; a layout holds each of them.
_MOST_TURNS = 1 << 16

Count: TypeAlias = SupportsIndex


def targets(layout: MoveTarget, a: object) -> npt.NDArray[np.int32]:
    """Tell what a layout means for an array: the node it wants each page on.

    Parameters
    ----------
    layout : Layout, or what else `move` takes as a target
        What `interleave` and the others return. Whether its nodes are there is not asked.
    a : ndarray, buffer or Region
        As for `where`.

    Returns
    -------
    ndarray of int32, shape (where(a).pages,)
        In address order; -1 for pages of which it says nothing.

    Raises
    ------
    TypeError, ValueError
        `a` exposes no memory, or has not what the layout is about, such as an axis; or the layout
        is no target.

    Examples
    --------
    >>> targets(blocks([0, 1]), np.zeros(4 * 4096, np.uint8)).tolist()[0]
    0
    """
    footprint = describe(a)
    pattern = as_target(layout, a, footprint)
    parts = [np.empty(0, np.int32)]
    start = 0
    for addresses, _ in footprint.chunks(1 << 16):
        parts.append(pattern.part(start, addresses))
        start += len(addresses)
    return np.concatenate(parts)


@dataclass(frozen=True)
class Interleave:
    """What `interleave` and `weighted` return: nodes in turn."""

    nodes: tuple[int, ...]
    block: int | None

    def over(self, array: object, footprint: Footprint) -> Cycle:
        """Return the pattern that it makes of one array."""
        block = self.block or _block_for(footprint, len(set(self.nodes)))
        return Cycle(self.nodes, block, footprint)

    def after(self, part: object) -> Interleave:
        """Return it as it goes on behind a part of memory that lies in several."""
        turn = self.over(part, describe(part)).turns % len(self.nodes)
        return Interleave(self.nodes[turn:] + self.nodes[:turn], self.block)


def interleave(nodes: Sequence[Count], *, block: int | None = None) -> Layout:
    """Spread pages over nodes in turn: ``0 1 2 0 1 2 ...``, for data that all CPUs read.

    Parameters
    ----------
    nodes : sequence of int
        Nodes in the order of their turns; one that occurs twice has two turns.
    block : int, optional
        Bytes that stay together, a multiple of the page size; by default a huge page where the
        array is as large as two for each node, and otherwise a page.

    Returns
    -------
    Layout

    Raises
    ------
    TypeError, ValueError
        No nodes, or a block that is not a number of pages.

    Notes
    -----
    Of memory in one piece, blocks of whole huge pages begin at addresses that are multiples of a
    huge page's size, so that none is cut.

    Examples
    --------
    >>> a = np.zeros(5 * 4096, np.uint8)
    >>> set(targets(interleave([0, 1], block=4096), a).tolist())
    {0, 1}
    """
    return Interleave(_as_nodes(nodes), _as_block(block))


def weighted(shares: Mapping[int, Count], *, block: int | None = None) -> Layout:
    """Spread pages over nodes in turn, to some more often: by bandwidth, or to a slow tier less.

    Parameters
    ----------
    shares : mapping of int to int
        How many of the turns each node has: ``{0: 3, 1: 1}`` for ``0 0 1 0``.
    block : int, optional
        As for `interleave`.

    Returns
    -------
    Layout
        The turns of a node are as far from each other as the shares allow.

    Raises
    ------
    TypeError, ValueError
        No mapping, no nodes, shares that are not whole numbers from 0, all of them 0, or more than
        65,536 turns in all once divided by what all have in common; or a block that is not a
        number of pages.

    Examples
    --------
    >>> a = np.zeros(8 * 4096, np.uint8)
    >>> found = targets(weighted({0: 3, 1: 1}, block=4096), a)[:8]
    >>> np.bincount(found).tolist()
    [6, 2]
    """
    if not isinstance(shares, Mapping):
        raise TypeError(f"shares: expected a mapping such as {{0: 2, 1: 1}}, got {shares!r}")
    counts = {operator.index(node): operator.index(share) for node, share in shares.items()}
    if min(counts.values(), default=0) < 0 or not any(counts.values()):
        raise ValueError(
            f"shares: expected whole numbers from 0, not all of them 0, got {dict(shares)!r}"
        )
    # Bandwidths in bytes a second are shares too.
    if sum(counts.values()) > _MOST_TURNS:
        common = math.gcd(*counts.values())
        counts = {node: share // common for node, share in counts.items()}
    if (total := sum(counts.values())) > _MOST_TURNS:
        raise ValueError(
            f"shares: expected at most {_MOST_TURNS:,} turns in all, got {total:,} by "
            f"{dict(shares)!r}; round them, such as bytes a second to GB/s"
        )
    # The turns of each node at even distances, all nodes' turns in one order.
    turns = [
        ((turn + 0.5) / count, -count, node)
        for node, count in counts.items()
        for turn in range(count)
    ]
    return Interleave(_as_nodes([node for _, _, node in sorted(turns)]), _as_block(block))


@dataclass(frozen=True)
class Blocks:
    """What `blocks` and `local` return: contiguous shares."""

    nodes: tuple[int, ...]

    def over(self, array: object, footprint: Footprint) -> Pattern:
        """Return the pattern that it makes of one array."""
        return Shares(self.nodes, footprint)


def blocks(nodes: Sequence[Count]) -> Layout:
    """Give each node one contiguous share: ``0 0 0 1 1 1 2 2 2``, as static schedules divide loops.

    Parameters
    ----------
    nodes : sequence of int
        One for each share, in address order. With a node for each thread, in the order of the
        threads, each thread's share is where it runs: OpenMP's ``schedule(static)``, numba's
        ``prange``.

    Returns
    -------
    Layout
        A page that two shares have parts of goes to the one that has its middle.

    Raises
    ------
    TypeError, ValueError
        No nodes, or something else than their numbers.

    Examples
    --------
    >>> targets(blocks([0, 1]), np.zeros(1 << 16, np.uint8))[0]
    np.int32(0)
    """
    return Blocks(_as_nodes(nodes))


@dataclass(frozen=True)
class ByAxis:
    """What `by_axis` returns: blocks of an axis."""

    axis: int
    nodes: tuple[int, ...]

    def over(self, array: object, footprint: Footprint) -> Pattern:
        """Return the pattern that it makes of one array."""
        if not isinstance(array, np.ndarray):
            raise TypeError(
                f"by_axis: expected a numpy array, which has axes, got {type(array).__name__}; "
                "pass np.asarray(...) of it if that shares its memory"
            )
        if not -array.ndim <= self.axis < array.ndim:
            raise ValueError(f"by_axis: axis {self.axis} of an array of {array.ndim} dimensions")
        return ByIndex(self.nodes, self.axis % array.ndim, array, footprint)


def by_axis(axis: Count, nodes: Sequence[Count]) -> Layout:
    """Divide an axis of an n-d array into contiguous blocks, one for each node.

    Parameters
    ----------
    axis : int
        Which; negative from the last. Of a C-contiguous matrix 0 gives each node a block of rows.
    nodes : sequence of int
        One for each block, in the order of the index.

    Returns
    -------
    Layout
        A page goes to the node of the block that most of it belongs to. The array may have any
        strides; an axis whose elements lie closer together than a page cannot be divided by pages,
        and gives what is nearest.

    Raises
    ------
    TypeError, ValueError
        No nodes, or something else than their numbers; when used, on what has no such axis.

    Examples
    --------
    >>> a = np.zeros((64, 4096), np.uint8)
    >>> targets(by_axis(0, [0, 1]), a)[[0, -1]].tolist()
    [0, 1]
    """
    return ByAxis(operator.index(axis), _as_nodes(nodes))


@dataclass(frozen=True)
class Like:
    """What `like` returns: the nodes of another array."""

    placement: Placement

    def over(self, array: object, footprint: Footprint) -> Pattern:
        """Return the pattern that it makes of one array."""
        return Follow(self.placement, footprint)


def like(other: object) -> Layout:
    """Put each page beside the matching part of an array that is placed already.

    Parameters
    ----------
    other : Placement, or what `where` takes
        Looked at now. What is as far along in it, in parts of its whole length, matches.

    Returns
    -------
    Layout
        Pages that match a part without memory have no target: they stay, not attempted.

    Raises
    ------
    TypeError, ValueError, MovePagesError
        As `where` does for `other`.

    Examples
    --------
    >>> a, b = np.ones(1 << 16), np.ones(1 << 14)
    >>> bool((targets(like(a), b) >= 0).all())
    True
    """
    return Like(other if isinstance(other, Placement) else where(other))


def local(cpus: Collection[Count] | None = None) -> Layout:
    """Put data where some CPUs have it near: on their node, or a share beside each of them.

    Parameters
    ----------
    cpus : collection of int, optional
        By default those that this thread may run on. Of several nodes, in the order given, each CPU
        has an equal contiguous share, as threads pinned to them in this order have it.

    Returns
    -------
    Layout

    Raises
    ------
    TypeError, ValueError
        No CPUs, one that is not of this machine, or no node with memory near it that may be used.
    TopologyError
        The nodes cannot be read.

    Notes
    -----
    Of a node that has CPUs and no memory, the nearest that has some is taken.

    Examples
    --------
    >>> found = targets(local(), np.zeros(1 << 16, np.uint8))
    >>> set(found.tolist()) <= set(topology().allowed_nodes)
    True
    """
    chosen = sorted(os.sched_getaffinity(0)) if cpus is None else map(operator.index, cpus)
    machine = topology()
    return blocks([machine.node_near(cpu) for cpu in chosen])


def _as_nodes(nodes: Sequence[Count]) -> tuple[int, ...]:
    found = as_nodes(nodes)
    if isinstance(found, int) or not len(found):
        raise ValueError(f"nodes: expected a sequence of one node or more, got {nodes!r}")
    return tuple(found.tolist())


def _as_block(block: int | None) -> int | None:
    if block is None:
        return None
    size = operator.index(block)
    page = topology().page_size
    if not page <= size < 1 << 62 or size % page:
        raise ValueError(f"block: expected a multiple of the page size {page}, got {block}")
    return size


def _block_for(footprint: Footprint, nodes: int) -> int:
    enough = footprint.nbytes >= FRAME_BYTES * _FRAMES_A_NODE * nodes
    return FRAME_BYTES if enough else footprint.page_size
