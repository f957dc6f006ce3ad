"""Layouts: which page of an array belongs on which node, as values that move() and plan() take."""

from __future__ import annotations

import operator
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ..pages.arguments import Count, listed_nodes
from ..pages.footprint import Footprint
from ..query.where import where
from ..results.placement import Placement
from ..system.topology_reader import topology
from .patterns import ByIndex, ContiguousShares, Follow, Pattern
from .targets import Layout


@dataclass(frozen=True)
class Blocks:
    """What `blocks` and `local` return: contiguous shares."""

    nodes: tuple[int, ...]

    def over(self, array: object, footprint: Footprint) -> Pattern:
        """Return the pattern that it makes of one array."""
        return ContiguousShares(self.nodes, footprint)


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
    return Blocks(listed_nodes(nodes))


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
        A page goes to the node of the block that most of it belongs to; pages that are divided
        more evenly go so that each node gets the bytes of its block. The array may have any
        strides. Where a block of the axis is shorter than a page, as columns of a C-contiguous
        array with short rows are, each page has parts of several blocks: the nodes get pages in
        the right proportion, and a move is not `ok` and counts these pages as `torn`. Copy such
        an array to the other order first (``np.asfortranarray``).

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
    return ByAxis(operator.index(axis), listed_nodes(nodes))


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
