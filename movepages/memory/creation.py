"""Arrays with memory of their own: empty(), zeros() and full() on a node or in a layout."""

from __future__ import annotations

import errno
import math
import mmap
import operator
from collections.abc import Sequence
from typing import Any, Literal, SupportsIndex

import numpy as np
import numpy.typing as npt

from .._core import HUGE_PAGE_BYTES, advise, read_file
from ..layouts.targets import Layout, as_target
from ..migration import sizes
from ..migration.folios import whole_huge_pages
from ..migration.move import move
from ..pages.buffers import footprint_of
from ..results.outcome import make_error
from ..system.refusals import Refusal
from .policies import bind
from .populate import touch

Shape = SupportsIndex | Sequence[SupportsIndex]
Huge = Literal["thp", "hugetlb"] | None

_MAP_HUGETLB = 0x40000
_MAP_HUGE_SHIFT = 26


def empty(
    shape: Shape,
    dtype: npt.DTypeLike = float,
    *,
    node: int | None = None,
    layout: Layout | None = None,
    huge: Huge = None,
    order: Literal["C", "F"] = "C",
) -> npt.NDArray[Any]:
    """Return a new array whose memory is its own, on a node or in a layout.

    Parameters
    ----------
    shape : int or sequence of int
    dtype : data-type, default float
        Not of objects.
    node : int, optional
        Bound to it: its pages come from this node when they are first touched, and from no other.
    layout : Layout, optional
        Instead of `node`: its pages are there at once, where the layout wants them: small ones
        where it would cut through huge ones, or, of huge ones asked for, most of each.
    huge : {"thp", "hugetlb"}, optional
        Ask for transparent huge pages, or take pages of the default hugetlb pool, at once.
    order : {"C", "F"}, default "C"

    Returns
    -------
    ndarray
        An ordinary one, page-aligned, of zeros until written to. Its memory is given back with it
        and its last view.

    Raises
    ------
    TypeError, ValueError
        Both `node` and `layout`, a dtype of objects, a negative size, other `huge` than these.
    MovePagesError
        No such memory: a node that may not be used, an empty hugetlb pool (also a MemoryError).

    Examples
    --------
    >>> node = topology().allowed_nodes[0]
    >>> a = empty((1000, 1000), np.float32, node=node)
    >>> a[:] = 1
    >>> where(a).bytes_per_node == {node: a.nbytes}
    True
    """
    if node is not None and layout is not None:
        raise ValueError("node and layout: expected one of them, got both")
    kind = np.dtype(dtype)
    if kind.hasobject:
        raise TypeError(f"dtype: expected one without objects in it, got {kind}")
    sizes = _as_shape(shape)
    nbytes = math.prod(sizes) * kind.itemsize
    array = np.ndarray(sizes, kind, _memory(nbytes, huge, node), order=order)
    if layout is not None and nbytes:
        if huge is None:
            _keep_small(array, layout)
        touch(array)
        placed = move(array, layout)
        # Pages that the layout says nothing of stay where they are.
        if placed.failures:
            placed.raise_for_status()
    return array


def zeros(shape: Shape, dtype: npt.DTypeLike = float, **how: Any) -> npt.NDArray[Any]:
    """Return a new array of zeros.

    Parameters
    ----------
    shape : int or sequence of int
    dtype : data-type, default float
    **how
        As for `empty`: ``node`` or ``layout``, ``huge``, ``order``.

    Returns
    -------
    ndarray
        Its pages come when they are first written to, unless there is a layout.

    Raises
    ------
    TypeError, ValueError, MovePagesError
        As `empty` does.

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
        Broadcast to the shape.
    dtype : data-type, optional
        By default that of the value.
    **how
        As for `empty`: ``node`` or ``layout``, ``huge``, ``order``.

    Returns
    -------
    ndarray
        With all of its memory there.

    Raises
    ------
    TypeError, ValueError, MovePagesError
        As `empty` does; a value that has not this shape.

    Examples
    --------
    >>> full(3, 7).tolist()
    [7, 7, 7]
    """
    kind = np.asarray(value).dtype if dtype is None else np.dtype(dtype)
    if kind.char in "SU" and not kind.itemsize:
        # str and bytes without a length would cut the value to nothing.
        kind = np.asarray(value, kind).dtype
    array = empty(shape, kind, **how)
    array[...] = value
    return array


def _keep_small(array: npt.NDArray[Any], layout: Layout) -> None:
    """Have the kernel give no huge page of its own accord that would have to be on two nodes."""
    footprint = footprint_of(array)
    target = as_target(layout, array, footprint)
    if target.only is not None:
        return
    start, end = 0, footprint.address + footprint.pages * footprint.page_size
    for addresses, _ in whole_huge_pages(footprint.chunks(sizes.SLICE_PAGES)):
        nodes = target.nodes_for(np.arange(start, start + len(addresses)), addresses)
        start += len(addresses)
        huge_pages = addresses // np.uintp(HUGE_PAGE_BYTES)
        differs = (huge_pages[1:] == huge_pages[:-1]) & (nodes[1:] != nodes[:-1])
        cut = np.unique(huge_pages[1:][differs])
        for row in np.split(cut, np.flatnonzero(np.diff(cut) > 1) + 1):
            if len(row):
                low = max(int(row[0]) * HUGE_PAGE_BYTES, footprint.address)
                high = min((int(row[-1]) + 1) * HUGE_PAGE_BYTES, end)
                # A kernel without huge pages does not know the advice, and needs none.
                advise(low, high - low, mmap.MADV_NOHUGEPAGE, high - low)


def _as_shape(shape: Shape) -> tuple[int, ...]:
    sizes = (
        tuple(operator.index(n) for n in shape)
        if isinstance(shape, Sequence)
        else (operator.index(shape),)
    )
    if any(n < 0 for n in sizes):
        raise ValueError(f"shape: expected sizes of 0 or more, got {shape!r}")
    return sizes


def _memory(nbytes: int, huge: Huge, node: int | None) -> memoryview:
    """Map memory of which nobody else has a part of a page, and bind all of it."""
    if huge not in (None, "thp", "hugetlb"):
        raise ValueError(f"huge: expected 'thp', 'hugetlb' or None, got {huge!r}")
    flags, unit = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PAGESIZE
    if huge == "hugetlb":
        unit = _default_hugetlb()
        flags |= _MAP_HUGETLB | unit.bit_length() - 1 << _MAP_HUGE_SHIFT
    size = max(-(-nbytes // unit), 1) * unit
    # A huge page begins at a multiple of its size.
    ahead = HUGE_PAGE_BYTES if huge == "thp" else 0
    with Refusal(OverflowError) as refusal:
        whole = mmap.mmap(-1, size + ahead, flags=flags)
    if refusal.error:
        raise _no_mapping(refusal, size, huge) from refusal.error
    if node is not None:
        bind(whole, node)
    if huge == "hugetlb":
        # Whoever writes to it later would be killed where the pool has none left on its node.
        touch(whole)
    if huge != "thp":
        return memoryview(whole)[:nbytes]
    with Refusal() as refusal:
        whole.madvise(mmap.MADV_HUGEPAGE)
    if refusal.error:
        raise make_error(
            refusal.code, "this kernel has no transparent huge pages; use huge=None"
        ) from refusal.error
    start = -np.frombuffer(whole, np.uint8).ctypes.data % HUGE_PAGE_BYTES
    return memoryview(whole)[start : start + nbytes]


def _default_hugetlb() -> int:
    with Refusal():
        for line in read_file("/proc/meminfo").splitlines():
            if line.startswith(b"Hugepagesize:"):
                return int(line.split()[1]) * 1024
    return HUGE_PAGE_BYTES


def _no_mapping(refusal: Refusal, size: int, huge: Huge) -> Exception:
    code = errno.ENOMEM if isinstance(refusal.error, OverflowError) else refusal.code
    if huge != "hugetlb":
        return make_error(code, f"no address range of {size:,} bytes is to be had")
    return make_error(
        code,
        f"the pool of hugetlb pages has not {size:,} bytes free; reserve some "
        "(/proc/sys/vm/nr_hugepages), or use huge='thp'",
    )
