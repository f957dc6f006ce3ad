"""What a picture shows: memory in a bounded number of cells, whatever there is of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .views import PlacementView

Kinds: TypeAlias = "npt.NDArray[np.int32]"

# What takes the place of a node where there is none.
ABSENT = -1
FAILED = -2

# Rounding leaves slivers of what ends where a cell does.
_SLIVER = 1e-9
_DOZEN = 12
# Multiples of these, less their whole part, fill an interval, and two of them a square, evenly.
_GOLDEN = 0.6180339887498949
_PLASTIC = 0.7548776662466927, 0.5698402909980532


class CellMix(NamedTuple):
    """Cells of equal size, and how much of each cell every kind has: its rows add up to 1."""

    kinds: Kinds
    parts: npt.NDArray[np.float64]


def divide(sizes: npt.NDArray[np.int64], kinds: Kinds, count: int) -> CellMix:
    """Divide stretches, of which sizes and kinds are given in order, into `count` cells.

    Examples
    --------
    >>> divide(np.array([3, 1]), np.array([0, 5], np.int32), 2).parts.tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """
    if not len(sizes) or count < 1:
        return CellMix(np.empty(0, np.int32), np.empty((0, 0)))
    found, which = np.unique(kinds, return_inverse=True)
    ends = np.cumsum(sizes.astype(float))
    edges = np.linspace(0, ends[-1], count + 1)
    # Sorting what is sorted in parts is a merge.
    cuts = np.sort(np.concatenate((ends, edges)), kind="stable")
    middles = (cuts[1:] + cuts[:-1]) / 2
    stretch = np.minimum(np.searchsorted(ends, middles, "right"), len(ends) - 1)
    cell = np.minimum((middles * (count / ends[-1])).astype(np.int64), count - 1)
    flat = np.bincount(cell * len(found) + which[stretch], np.diff(cuts), count * len(found))
    table = flat.reshape(count, len(found))
    parts = table / table.sum(axis=1, keepdims=True)
    return CellMix(found, np.where(parts < _SLIVER, 0.0, parts))


def regroup(shares: CellMix, count: int) -> CellMix:
    """Divide into `count` cells what is divided into more.

    Examples
    --------
    >>> four = CellMix(np.array([0, 1], np.int32), np.array([[1, 0], [1, 0], [0.5, 0.5], [0, 1]]))
    >>> regroup(four, 2).parts.tolist()
    [[1.0, 0.0], [0.25, 0.75]]
    """
    many = len(shares.parts)
    if count >= many:
        return shares
    below = np.vstack((np.zeros(len(shares.kinds)), np.cumsum(shares.parts, axis=0)))
    edges = np.linspace(0, many, count + 1)
    cut = [np.interp(edges, np.arange(many + 1), column) for column in below.T]
    parts = np.diff(np.stack(cut, axis=1), axis=0) * (count / many)
    return CellMix(shares.kinds, np.where(parts < _SLIVER, 0.0, parts))


def cells(placement: PlacementView, count: int) -> CellMix:
    """Divide the bytes of an array into `count` cells, or into pages if there are no more of them.

    Examples
    --------
    >>> found = cells(where(np.ones(1 << 20)), 4)
    >>> found.parts.shape == (4, len(found.kinds))
    True
    """
    runs = placement.runs
    by = "nbytes" if count < placement.pages else "pages"
    return divide(runs[by], nodes_of(runs["status"]), min(count, placement.pages))


def nodes_of(status: Kinds) -> Kinds:
    """Return the nodes of pages, and ABSENT for those that are on none."""
    nodes: Kinds = np.maximum(status, ABSENT)
    return nodes


def visible(shares: CellMix, least: float, each: float) -> CellMix:
    """Give what is present in a cell `least` of it or more, so that a picture hides none.

    Of several kinds, up to a dozen, each gets about `each` of the cell or more, however little it
    has. Of more, which ones are seen is left to chance: their equal heights would hide the same
    ones everywhere.
    """
    present = shares.kinds != ABSENT
    share = shares.parts[:, present].sum(axis=1, keepdims=True)
    enough = np.where(share > 0, np.maximum(share, least), 0)
    parts = np.empty_like(shares.parts)
    parts[:, present] = shares.parts[:, present] / np.where(share > 0, share, 1) * enough
    parts[:, ~present] = 1 - enough
    some = shares.parts > 0
    several = some.sum(axis=1, keepdims=True)
    seen = np.where(several <= _DOZEN, np.minimum(each, 1 / np.maximum(several, 1)), 0)
    parts = np.where(some, np.maximum(parts, seen), 0)
    return CellMix(shares.kinds, parts / parts.sum(axis=1, keepdims=True))


def stack(shares: CellMix, steps: int) -> Kinds:
    """Divide each cell's height as its bytes are divided: steps downwards, cells to the right.

    Examples
    --------
    >>> stack(CellMix(np.array([0, 1], np.int32), np.array([[1, 0], [0.5, 0.5]])), 2).tolist()
    [[0, 0], [0, 1]]
    """
    below = np.cumsum(shares.parts, axis=1)
    middle = (np.arange(steps) + 0.5) / steps
    which = (below[None, :, :] <= middle[:, None, None]).sum(axis=2)
    stacked: Kinds = shares.kinds[np.minimum(which, len(shares.kinds) - 1)]
    return stacked


def pick(shares: CellMix) -> list[int]:
    """Choose one kind for each cell, so that those of many cells have the shares of their bytes.

    A cell of one kind shows it. Choosing what has most of a cell would hide what is spread evenly
    beside it: of pages interleaved over two nodes, all of one.

    Examples
    --------
    >>> pick(CellMix(np.array([0, 1], np.int32), np.full((4, 2), 0.5)))
    [1, 0, 1, 0]
    """
    if not len(shares.kinds):
        return []
    below = np.cumsum(shares.parts, axis=1)
    place = (0.5 + np.arange(len(below)) * _GOLDEN) % 1
    chosen = (below <= (place * below[:, -1])[:, None]).sum(axis=1)
    found: list[int] = shares.kinds[chosen].tolist()
    return found


def grid(placement: PlacementView, rows: int, columns: int) -> Kinds:
    """Return where elements of an array of several dimensions are, as rows and columns.

    Rows follow the first axis, columns all others in C order. Where there are more of them than
    asked for, each cell shows one of its elements, which is not always the same.

    Examples
    --------
    >>> a = zeros((64, 4096), node=topology().allowed_nodes[0])
    >>> a[:32] = 1
    >>> grid(where(a), 4, 4)[:2].tolist() == [[where(a).status[0]] * 4] * 2
    True
    """
    shape, strides = placement.shape, placement.strides
    tall, wide = shape[0], int(np.prod(shape[1:], dtype=np.int64))
    rows, columns = min(rows, tall), min(columns, wide)
    if not rows or not columns:
        return np.empty((rows, columns), np.int32)
    number = np.arange(rows * columns).reshape(rows, columns)
    row = _one_of(np.arange(rows)[:, None], rows, tall, number * _PLASTIC[0])
    column = _one_of(np.arange(columns)[None, :], columns, wide, number * _PLASTIC[1])
    offset = row * strides[0]
    for index, stride in zip(np.unravel_index(column, shape[1:]), strides[1:], strict=True):
        offset = offset + index * stride
    # The lowest address is that of the last index along an axis that runs backwards.
    backwards = sum(
        stride * (n - 1) for stride, n in zip(strides, shape, strict=True) if stride < 0
    )
    address = (offset - backwards).astype(np.uintp) + np.uintp(placement.address)
    runs = placement.runs
    run = np.searchsorted(np.ascontiguousarray(runs["address"]), address, "right") - 1
    return nodes_of(runs["status"][run])


def _one_of(
    cell: npt.NDArray[np.int64], count: int, total: int, place: npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.int64]:
    """Return, for cell `cell` of `count`, one of the `total` indices it stands for."""
    first, last = _share(cell, count, total), _share(cell + 1, count, total)
    index: npt.NDArray[np.int64] = first + ((place + 0.5) % 1 * (last - first)).astype(np.int64)
    # A float does not count so far as a broadcast axis may.
    return np.minimum(index, last - 1)


def _share(cell: npt.NDArray[np.int64], count: int, total: int) -> npt.NDArray[np.int64]:
    """Return ``cell * total // count``, of which the product may be beyond 64 bits."""
    return cell * (total // count) + cell * (total % count) // count


def symbols(nodes: Sequence[int]) -> Mapping[int, str]:
    """Return one character for each node: its number, or letters if there are long numbers.

    Examples
    --------
    >>> symbols([0, 2]), symbols([0, 10])
    ({0: '0', 2: '2'}, {0: 'A', 10: 'B'})
    """
    if max(nodes, default=0) < 10:
        return {node: str(node) for node in nodes}
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return {node: letters[i % len(letters)] for i, node in enumerate(nodes)}
