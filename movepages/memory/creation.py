"""Create arrays on a node or in a layout: empty(), zeros() and full()."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, Literal, SupportsIndex

import numpy as np
import numpy.typing as npt

from ..layouts.by_member import wanted_by
from ..layouts.targets import Layout
from ..migration.move import move
from ..pages.buffers import footprint_of
from .anonymous import Huge, map_memory
from .kernel_turns import first_turn
from .placed_pages import populate_by_layout
from .populate import touch

Shape = SupportsIndex | Sequence[SupportsIndex]


def empty(
    shape: Shape,
    dtype: npt.DTypeLike = float,
    *,
    node: SupportsIndex | None = None,
    layout: Layout | None = None,
    huge: Huge = None,
    order: Literal["C", "F"] = "C",
) -> npt.NDArray[Any]:
    """Return a new array on a node or in a layout; it shares no page with anything else.

    Parameters
    ----------
    shape : int or sequence of int
    dtype : data-type, default float
        Any type that contains no objects.
    node : int, optional
        Bind the array to this node: its pages are allocated there on first touch, and on no other
        node.
    layout : Layout, optional
        Use a layout instead of `node`. The call allocates all pages, in several threads, each on
        the node that `move` would choose for it. No page is on another node at any time, except in
        the cases that the Notes give. The array gets no policy of its own. Where the layout would
        cut through a huge page, the array gets small pages. If you ask for huge pages, each huge
        page goes to the node that the layout chooses for most of it.
    huge : {"thp", "hugetlb"}, optional
        "thp" asks for transparent huge pages. "hugetlb" takes pages from the default hugetlb pool,
        all of them during the call.
    order : {"C", "F"}, default "C"

    Returns
    -------
    ndarray
        A page-aligned ordinary array, filled with zeros. Its memory is freed together with the
        array and its last view.

    Raises
    ------
    TypeError, ValueError
        Both `node` and `layout` are given, `dtype` contains objects, a size is negative, or `huge`
        is unknown.
    MovePagesError
        The memory is not available: a node may not be used or has too little memory, or the hugetlb
        pool is empty (also a MemoryError). No memory stays allocated.
    KeyboardInterrupt
        With a layout, the call was interrupted between two portions of 16 MiB, or of a huge page
        where that is larger. No memory stays allocated.

    Notes
    -----
    With a layout, a thread allocates pages on a node while it is bound to that node
    (set_mempolicy(2), MADV_POPULATE_WRITE). If single pages take turns on 2, 4, 8 ... nodes in
    ascending order, the thread has the interleave policy instead, so that one call allocates all
    pages. The call then checks the pages. If a node was full and the kernel used another node, the
    call frees the pages, and bound threads allocate new ones. In three cases, the pages are
    allocated first and moved afterwards: if a sandbox forbids policies, in locked memory
    (mlockall(2)), and with ``huge="hugetlb"``, because the pool decides where its pages are. A node
    counts as full if the array does not fit into its free memory and clean file pages above the
    kernel's reserve; swap does not count.

    Examples
    --------
    >>> node = topology().allowed_nodes[0]
    >>> a = empty((1000, 1000), np.float32, node=node)
    >>> a[:] = 1
    >>> where(a).bytes_per_node == {node: a.nbytes}
    True
    """
    if node is not None and layout is not None:
        raise ValueError("node and layout: expected at most one of them, got both")
    kind = _as_dtype(dtype)
    if kind.hasobject:
        raise TypeError(f"dtype: expected a type without objects, got {kind}")
    sizes = _as_shape(shape)
    nbytes = math.prod(sizes) * kind.itemsize
    memory = map_memory(nbytes, huge, node, first_turn(layout, nbytes))
    array = np.ndarray(sizes, kind, memory, order=order)
    if layout is not None and nbytes:
        _lay_out(array, memory, layout, huge)
    return array


def zeros(shape: Shape, dtype: npt.DTypeLike = float, **how: Any) -> npt.NDArray[Any]:
    """Return a new array of zeros.

    Parameters
    ----------
    shape : int or sequence of int
    dtype : data-type, default float
    **how
        Arguments of `empty`: ``node`` or ``layout``, ``huge``, ``order``.

    Returns
    -------
    ndarray
        Its pages are allocated when they are first written to; with a layout, during the call.

    Raises
    ------
    TypeError, ValueError, MovePagesError
        As for `empty`.

    Examples
    --------
    >>> zeros(3).tolist()
    [0.0, 0.0, 0.0]
    """
    return empty(shape, dtype, **how)


def full(
    shape: Shape, value: object, dtype: npt.DTypeLike | None = None, **how: Any
) -> npt.NDArray[Any]:
    """Return a new array filled with a value.

    Parameters
    ----------
    shape : int or sequence of int
    value : scalar or array_like
        The value, broadcast to the shape.
    dtype : data-type, optional
        The type of the array; by default that of the value.
    **how
        Arguments of `empty`: ``node`` or ``layout``, ``huge``, ``order``.

    Returns
    -------
    ndarray
        All of its pages are present.

    Raises
    ------
    TypeError, ValueError, MovePagesError
        As for `empty`; also if the value cannot be broadcast to the shape.

    Examples
    --------
    >>> full(3, 7).tolist()
    [7, 7, 7]
    """
    kind = np.asarray(value).dtype if dtype is None else _as_dtype(dtype)
    if kind.char in "SU" and not kind.itemsize:
        # A str or bytes type without a length would truncate the value to nothing.
        kind = np.asarray(value, kind).dtype
    array = empty(shape, kind, **how)
    array[...] = value
    return array


def _lay_out(array: npt.NDArray[Any], memory: memoryview, layout: Layout, huge: Huge) -> None:
    """Allocate every page of a new array where the layout wants it."""
    footprint = footprint_of(array)
    target = wanted_by(layout, array, footprint)
    placed = huge != "hugetlb"
    if placed:
        whole = np.frombuffer(memoryview(memory.obj), np.uint8)
        until = whole.ctypes.data + whole.nbytes if huge == "thp" else None
        placed = populate_by_layout(footprint, target, huge_until=until)
    if not placed:
        touch(array)
    # The kernel may lack huge pages, a pool has them on any node, and move() warns of torn pages.
    if not placed or huge is not None or getattr(target, "torn", False):
        moved = move(array, layout)
        # Pages for which the layout names no node stay where they are; that is no failure.
        if moved.failures:
            moved.raise_for_status()


def _as_dtype(dtype: npt.DTypeLike) -> np.dtype[Any]:
    try:
        return np.dtype(dtype)
    except TypeError as wrong:
        number = isinstance(dtype, int) and not isinstance(dtype, bool)
        meant = f"; for a node, pass node={dtype}" if number else ""
        raise TypeError(f"dtype: {wrong}{meant}") from None


def _as_shape(shape: Shape) -> tuple[int, ...]:
    sizes = (
        tuple(operator.index(n) for n in shape)
        if isinstance(shape, Sequence)
        else (operator.index(shape),)
    )
    if any(n < 0 for n in sizes):
        raise ValueError(f"shape: expected sizes of 0 or more, got {shape!r}")
    return sizes
