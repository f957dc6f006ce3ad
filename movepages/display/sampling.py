"""Reduce memory of any size to the bounded number of cells that a picture shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .views import PlacementView

Kinds: TypeAlias = "npt.NDArray[np.int32]"

# Kinds of memory that stand in place of a node's number.
ABSENT = -1
FAILED = -2

# A stretch that ends at a cell's border can leave a sliver in the next cell by rounding.
_SLIVER = 1e-9
_DOZEN = 12
# The fractional parts of its multiples fill an interval evenly.
_GOLDEN = 0.6180339887498949


class CellMix(NamedTuple):
    """Cells of equal size, and the fraction of each cell that each kind has; rows add up to 1."""

    kinds: Kinds
    parts: npt.NDArray[np.float64]


def divide(sizes: npt.NDArray[np.int64], kinds: Kinds, count: int) -> CellMix:
    """Divide consecutive stretches, given by their sizes and kinds, into `count` cells.

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
    # A stable sort of two sorted parts only merges them, which is fast.
    cuts = np.sort(np.concatenate((ends, edges)), kind="stable")
    middles = (cuts[1:] + cuts[:-1]) / 2
    stretch = np.minimum(np.searchsorted(ends, middles, "right"), len(ends) - 1)
    cell = np.minimum((middles * (count / ends[-1])).astype(np.int64), count - 1)
    flat = np.bincount(cell * len(found) + which[stretch], np.diff(cuts), count * len(found))
    table = flat.reshape(count, len(found))
    parts = table / table.sum(axis=1, keepdims=True)
    return CellMix(found, np.where(parts < _SLIVER, 0.0, parts))


def regroup(shares: CellMix, count: int) -> CellMix:
    """Merge cells into `count` cells if there are more.

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
    """Divide an array's bytes into `count` cells, or give each page one cell if `count` is enough.

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
    """Return the node of each page, or ABSENT for a page on no node."""
    nodes: Kinds = np.maximum(status, ABSENT)
    return nodes


def visible(shares: CellMix, least: float, each: float) -> CellMix:
    """Enlarge small fractions of present memory, so that a picture hides none of it.

    Present memory gets at least the fraction `least` of its cell. In a cell with at most a dozen
    kinds, each kind gets about the fraction `each` or more, however small it is. With more kinds,
    chance decides which ones are seen: equal heights would hide the same ones in every cell.
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
    """Divide each cell's height among its kinds by bytes; rows are levels, columns are cells.

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
    """Choose one kind for each cell so that, over many cells, each kind gets its share of bytes.

    A cell of one kind shows that kind. Choosing the kind that has most of a cell would hide kinds
    spread evenly beside it: pages interleaved over two nodes would all seem to be on one.

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


def symbols(nodes: Sequence[int]) -> Mapping[int, str]:
    """Return one character for each node: its digit, or a letter if any number has two digits.

    Examples
    --------
    >>> symbols([0, 2]), symbols([0, 10])
    ({0: '0', 2: '2'}, {0: 'A', 10: 'B'})
    """
    if max(nodes, default=0) < 10:
        return {node: str(node) for node in nodes}
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return {node: letters[i % len(letters)] for i, node in enumerate(nodes)}
