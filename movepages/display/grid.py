"""Sample the elements of a multi-dimensional array for a picture in the array's own shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .sampling import Kinds, nodes_of
from .views import PlacementView

# The fractional parts of its multiples fill a square evenly.
_PLASTIC = 0.7548776662466927, 0.5698402909980532


def grid(placement: PlacementView, rows: int, columns: int) -> Kinds:
    """Return the nodes of elements of a multi-dimensional array, as a matrix of cells.

    Rows follow the first axis, columns all other axes in C order. If a cell stands for several
    elements, it shows one of them, at a place that differs from cell to cell.

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
    # Along an axis with a negative stride, the last index has the lowest address.
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
    """Return one of the `total` indices that cell `cell` of `count` stands for."""
    first, last = _share(cell, count, total), _share(cell + 1, count, total)
    index: npt.NDArray[np.int64] = first + ((place + 0.5) % 1 * (last - first)).astype(np.int64)
    # A broadcast axis can be longer than a float can count exactly.
    return np.minimum(index, last - 1)


def _share(cell: npt.NDArray[np.int64], count: int, total: int) -> npt.NDArray[np.int64]:
    """Return ``cell * total // count`` without the product, which may exceed 64 bits."""
    return cell * (total // count) + cell * (total % count) // count
