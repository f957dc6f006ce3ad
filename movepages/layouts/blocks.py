"""Layouts that move() and plan() take as targets: blocks(), by_axis(), like() and local()."""

from __future__ import annotations

import operator
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..inputs.members import Members
from ..pages.arguments import Count, listed_nodes
from ..pages.footprint import Footprint
from ..pages.like import MemoryLike
from ..pages.memory import Memory
from ..pages.page_set import PageSet
from ..pages.pieces import Pieces
from ..query.where import where
from ..results.placement import Placement
from ..results.placements import Placements
from ..system.topology_reader import read_topology
from .array_patterns import ByIndex, ContiguousShares
from .follow import Follow
from .guesses import in_words
from .patterns import Pattern
from .targets import Layout


@dataclass(frozen=True)
class Blocks:
    """Contiguous shares: the layout that `blocks` and `local` return."""

    nodes: tuple[int, ...]

    def over(self, array: object, footprint: PageSet) -> Pattern:
        """Return the pattern of this layout over one array."""
        return ContiguousShares(self.nodes, footprint)


def blocks(nodes: Sequence[Count]) -> Layout:
    """Give each node one contiguous share: ``0 0 0 1 1 1 2 2 2``, like a static loop schedule.

    Parameters
    ----------
    nodes : sequence of int
        The node of each share, in address order. OpenMP's ``schedule(static)`` and numba's
        ``prange`` divide a loop among threads in the same way. List the node of each thread, in the
        order of the threads; each thread's share is then on its own node.

    Returns
    -------
    Layout
        A page that lies across a border goes to the share that contains the page's middle.

    Raises
    ------
    TypeError, ValueError
        `nodes` is empty, or is not a sequence of node numbers.

    Examples
    --------
    >>> int(targets(np.zeros(1 << 16, np.uint8), blocks([0, 1]))[0])
    0
    """
    return Blocks(listed_nodes(nodes))


@dataclass(frozen=True)
class ByAxis:
    """Blocks along an axis: the layout that `by_axis` returns."""

    axis: int
    nodes: tuple[int, ...]

    def over(self, array: object, footprint: PageSet) -> Pattern:
        """Return the pattern of this layout over one array."""
        if not isinstance(array, (np.ndarray, Memory)) or not isinstance(footprint, Footprint):
            raise TypeError(f"by_axis: expected a numpy array, got {_without_axes(array)}")
        if not -array.ndim <= self.axis < array.ndim:
            raise ValueError(
                f"by_axis: axis {self.axis} is out of bounds for an array of dimension {array.ndim}"
            )
        return ByIndex(self.nodes, self.axis % array.ndim, array, footprint)


def _without_axes(memory: object) -> str:
    """Describe memory that has no axes, and what to do about it."""
    if isinstance(memory, Members):
        return (
            f"a {memory.kind} of {len(memory.arrays):,} members; without together(), it divides "
            "each member by itself"
        )
    if isinstance(memory, Pieces):
        return "objects all over the heap; give them another target, by their name"
    return (
        f"a {type(memory).__name__}; if np.asarray(...) of it shares its memory, pass that instead"
    )


def by_axis(axis: Count, nodes: Sequence[Count]) -> Layout:
    """Divide an axis of an n-d array into contiguous blocks, one for each node.

    Parameters
    ----------
    axis : int
        Axis to divide; a negative number counts from the last axis. In a C-contiguous matrix, 0
        gives each node a block of rows.
    nodes : sequence of int
        The node of each block, in index order.

    Returns
    -------
    Layout
        A page goes to the node of the block that holds most of it. Pages that are divided more
        evenly are assigned so that each node gets as many bytes as its block has. The array may
        have any strides. If a block of the axis is shorter than a page, as for columns of a
        C-contiguous array with short rows, each page holds parts of several blocks. The nodes then
        get pages in the right proportion, but a move is not `ok`: it counts these pages as `torn`,
        because parts of each are wanted on other nodes. Copy such an array to the other order
        first (``np.asfortranarray``).

    Raises
    ------
    TypeError, ValueError
        `nodes` is empty, or is not a sequence of node numbers. When the layout is used: the object
        is not a numpy array, or has no such axis.

    Examples
    --------
    >>> a = np.zeros((64, 4096), np.uint8)
    >>> targets(a, by_axis(0, [0, 1]))[[0, -1]].tolist()
    [0, 1]
    """
    try:
        number = operator.index(axis)
    except TypeError:
        raise TypeError(
            f"axis: expected a whole number, got {in_words(axis)}; the order is "
            "by_axis(axis, nodes), as in by_axis(0, [0, 1])"
        ) from None
    return ByAxis(number, listed_nodes(nodes))


@dataclass(frozen=True)
class Like:
    """The nodes of another array: the layout that `like` returns."""

    placement: Placement

    def over(self, array: object, footprint: PageSet) -> Pattern:
        """Return the pattern of this layout over one array."""
        return Follow(self.placement, footprint)


def like(other: Placement | Placements | MemoryLike) -> Layout:
    """Put each page on the node of the matching part of another array.

    Parameters
    ----------
    other : Placement, Placements, or what `where` takes
        The array to follow, queried now and not when the layout is used. Parts at the same fraction
        of the whole length match. Several arrays are followed as one, in the order of their
        addresses.

    Returns
    -------
    Layout
        Pages that match a part without memory have no target. They stay where they are, and a move
        counts them as not attempted.

    Raises
    ------
    TypeError, ValueError, MovePagesError
        Raised by `where` for `other`.

    Examples
    --------
    >>> a, b = np.ones(1 << 16), np.ones(1 << 14)
    >>> bool((targets(b, like(a)) >= 0).all())
    True
    """
    found = other if isinstance(other, (Placement, Placements)) else where(other)
    return Like(found.total if isinstance(found, Placements) else found)


def local(cpus: Collection[Count] | None = None) -> Layout:
    """Put data near CPUs: an equal share on the node of each CPU, or all on their common node.

    Parameters
    ----------
    cpus : collection of int, optional
        By default, the CPUs that this thread may run on. If they are on several nodes, each CPU
        gets an equal contiguous share, in the order given. This matches threads that are pinned to
        the CPUs in the same order.

    Returns
    -------
    Layout

    Raises
    ------
    TypeError, ValueError
        `cpus` is empty, a CPU is not on this machine, or no node with memory may be used.
    TopologyError
        The nodes cannot be read.

    Notes
    -----
    For a CPU on a node without memory, the nearest node with memory is used.

    Examples
    --------
    >>> found = targets(np.zeros(1 << 16, np.uint8), local())
    >>> set(found.tolist()) <= set(topology().allowed_nodes)
    True
    """
    if isinstance(cpus, str):
        raise TypeError(
            f"cpus: expected CPU numbers such as [0, 1], got the text {cpus!r}; for the node "
            f"nearest to a device, pass near({cpus!r})"
        )
    given = sorted(os.sched_getaffinity(0)) if cpus is None else cpus
    if not isinstance(given, Iterable):
        raise _no_cpu_numbers(given)
    listed = [*given]
    try:
        chosen = [operator.index(each) for each in listed]
    except TypeError:
        raise _no_cpu_numbers(given) from None
    machine = read_topology()
    return blocks([machine.node_near(cpu) for cpu in chosen])


def _no_cpu_numbers(given: object) -> TypeError:
    return TypeError(f"cpus: expected CPU numbers such as [0, 1], got {in_words(given)}")
