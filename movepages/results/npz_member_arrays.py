"""The arrays that describe members in .npz files, read one by one and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ..pages.footprint import Footprint
from ..pages.named import Parted, Shape
from ..pages.pieces import Pieces
from .npz_archive import Archive
from .npz_checks import check_axes
from .npz_directory import DamagedError
from .npz_limits import MOST, MOST_DIMENSIONS

Counts: TypeAlias = "npt.NDArray[np.uint64]"
Ints: TypeAlias = "npt.NDArray[np.int64]"

_INT64, _UINT64 = np.dtype(np.int64), np.dtype(np.uint64)


class Columns(NamedTuple):
    """For each member: bytes of its name, address, bytes in a block, number of strides and axes."""

    name: Counts
    address: Counts
    block: Counts
    strides: Counts
    axes: Counts


class Dimensions(NamedTuple):
    """Stride and count of each dimension, then shape and strides of each axis, of all members."""

    numbers: Ints
    ends: Ints
    columns: Columns

    def of(self, index: int) -> tuple[list[int], list[int]]:
        """Return both lists of numbers of one member."""
        strides, axes = int(self.columns.strides[index]), int(self.columns.axes[index])
        end = int(self.ends[index])
        found = self.numbers[end - 2 * (strides + axes) : end].tolist()
        return found[: 2 * strides], found[2 * strides :]


def read_columns(archive: Archive) -> Columns:
    """Read one row for each member."""
    count = len(Columns._fields)
    rows = archive.array("members", _UINT64, count * MOST["members"])
    if rows.ndim != 2 or rows.shape[1] != count:
        raise DamagedError(f"members has the shape {rows.shape}, expected (n, {count})")
    columns = Columns(*np.ascontiguousarray(rows.T))
    dimensions = np.maximum(columns.strides, columns.axes)
    if (dimensions > MOST_DIMENSIONS).any() or (columns.block >= 1 << 62).any():
        raise DamagedError("members have too many dimensions or bytes")
    return columns


def read_dimensions(archive: Archive, columns: Columns) -> Dimensions:
    """Read the numbers of all members.

    Raises
    ------
    DamagedError
        As in all of these functions: the content is inconsistent.
    """
    numbers = archive.array("numbers", _INT64, MOST["shapes and strides"])
    ends = np.cumsum(2 * (columns.strides + columns.axes).astype(np.int64))
    if numbers.ndim != 1 or int(ends[-1] if len(ends) else 0) != len(numbers):
        raise DamagedError("numbers do not fit the members")
    return Dimensions(numbers, ends, columns)


def read_strided(own: Dimensions, total: Mapping[str, Any]) -> Iterator[tuple[int, Footprint]]:
    """Yield the strided members by their index."""
    for index in np.flatnonzero(own.columns.strides).tolist():
        pairs, _ = own.of(index)
        address, block = int(own.columns.address[index]), int(own.columns.block[index])
        dims = tuple(zip(pairs[::2], pairs[1::2], strict=True))
        try:
            yield index, Footprint(address, block, dims, total["page_size"], total["pid"])
        except ValueError as error:
            raise DamagedError(str(error)) from None


def read_pieces(archive: Archive, columns: Columns) -> Counts:
    """Read the member, address and length of each piece of members that have several."""
    rows = archive.array("pieces", _UINT64, 3 * MOST["pieces"])
    if rows.ndim != 2 or rows.shape[1] != 3:
        raise DamagedError(f"pieces has the shape {rows.shape}, expected (n, 3)")
    owner, nbytes = rows[:, 0], rows[:, 2]
    if (owner[1:] < owner[:-1]).any() or (nbytes >= 1 << 62).any():
        raise DamagedError("pieces are not in the order of their members, or too long")
    if len(owner) and (owner[-1] >= len(columns.block) or columns.block[owner].any()):
        raise DamagedError("pieces are of members that are contiguous or missing")
    return rows


def members_of_pieces(rows: Counts, total: Mapping[str, Any]) -> Iterator[tuple[int, Pieces]]:
    """Yield the members that have several pieces by their index."""
    indices, first = np.unique(rows[:, 0], return_index=True)
    for index, part in zip(indices.tolist(), np.split(rows, first[1:]), strict=False):
        nbytes = part[:, 2].astype(np.int64)
        yield index, Pieces(part[:, 1], nbytes, (), total["page_size"], total["pid"])


def read_names(archive: Archive, length: Counts) -> list[str]:
    """Read the names, which take so many bytes each."""
    text = archive.array("names", np.dtype(np.uint8), MOST["bytes of names"]).tobytes()
    if (length > len(text)).any() or int(length.sum()) != len(text):
        raise DamagedError("names do not fit the members")
    names: dict[str, None] = {}
    at = 0
    for index, count in enumerate(length.tolist()):
        try:
            names[text[at : at + count].decode("utf-8", "surrogatepass")] = None
        except UnicodeDecodeError:
            raise DamagedError(f"the name of member {index} is not UTF-8") from None
        at += count
    if len(names) != len(length):
        raise DamagedError("two members have the same name")
    return list(names)


def read_shapes(own: Dimensions, parted: Mapping[int, Parted]) -> Iterator[tuple[int, Shape]]:
    """Yield shape and strides of the members that have two or more dimensions."""
    for index in np.flatnonzero(own.columns.axes).tolist():
        _, axes = own.of(index)
        shape, strides = tuple(axes[: len(axes) // 2]), tuple(axes[len(axes) // 2 :])
        member = parted.get(index)
        check_axes(shape, strides, member.span if member else int(own.columns.block[index]))
        yield index, (shape, strides)
