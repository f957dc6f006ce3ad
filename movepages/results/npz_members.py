"""Placements of several members in .npz files, checked when read."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..pages.footprint import Footprint
from ..pages.named import NamedFootprints, Parted
from ..pages.pieces import Pieces
from . import npz
from .npz_archive import Archive
from .npz_directory import DamagedError

# For each member: bytes of its name, address, bytes in a block, number of strides, number of axes.
_COLUMNS = 5
# Far more than anybody has. Larger files would take minutes to check.
_MOST_MEMBERS, _MOST_NAMES, _MOST_NUMBERS, _MOST_BLOCKS = 1 << 22, 1 << 28, 1 << 24, 1 << 26
_MOST_AXES, _MOST_PIECES = 64, 1 << 26
_MEMBERS = ("members", "names", "numbers", "pieces")
_INT64 = np.dtype(np.int64)


def write(
    total: Mapping[str, Any], footprints: NamedFootprints, file: str | os.PathLike[str]
) -> None:
    """Write the fields of the total and the members to a file, replacing it atomically."""
    rows, names, numbers = [], bytearray(), []
    pieces = [np.empty((0, 3), np.uint64)]
    for index, (name, each) in enumerate(zip(footprints.names, footprints, strict=True)):
        text = name.encode("utf-8", "surrogatepass")
        shape, strides = footprints.shapes.get(index, ((), ()))
        block, dims = (each.block, each.dims) if isinstance(each, Footprint) else (0, ())
        if isinstance(each, Pieces):
            begin, nbytes = each.intervals
            pieces.append(
                np.stack((np.full_like(begin, index), begin, nbytes.astype(np.uint64)), 1)
            )
        rows.append((len(text), each.address, block, len(dims), len(shape)))
        names += text
        numbers += [number for pair in dims for number in pair] + [*shape, *strides]
    arrays: dict[str, npt.NDArray[Any]] = {
        "members": np.array(rows, np.uint64).reshape(-1, _COLUMNS),
        "names": np.frombuffer(bytes(names), np.uint8),
        "numbers": np.array(numbers, np.int64),
        # The member, address and length of each piece of members that are more than a footprint.
        "pieces": np.concatenate(pieces),
    }
    npz.write({**npz.arrays_of(total), **arrays}, file)


def read(file: str | os.PathLike[str]) -> tuple[dict[str, Any], NamedFootprints]:
    """Return the fields of the total and the members of a file.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        The file is not a saved `Placements`, or its content is inconsistent.
    """
    with npz.opened(file, (*npz.MEMBERS, *_MEMBERS), "Placements") as archive:
        total = npz.read_placement(archive)
        footprints = _read_members(archive, total["page_size"], total["pid"])
        _check_union(total, footprints)
    return total, footprints


def _read_members(archive: Archive, page_size: int, pid: int) -> NamedFootprints:
    rows = archive.array("members", np.dtype(np.uint64), _COLUMNS * _MOST_MEMBERS)
    if rows.ndim != 2 or rows.shape[1] != _COLUMNS:
        raise DamagedError(f"members has the shape {rows.shape}, expected (n, {_COLUMNS})")
    text = archive.array("names", np.dtype(np.uint8), _MOST_NAMES).tobytes()
    numbers = archive.array("numbers", _INT64, _MOST_NUMBERS).tolist()
    names: dict[str, None] = {}
    found: list[Footprint] = []
    shapes = {}
    at = place = 0
    for index, (length, address, block, dims, axes) in enumerate(rows.tolist()):
        if dims > _MOST_AXES or axes > _MOST_AXES or block >= 1 << 62:
            raise DamagedError(f"member {index} has {dims} strides, {axes} axes, {block:,} bytes")
        names[_decoded(text[at : at + length], index)] = None
        own = numbers[place : place + 2 * (dims + axes)]
        at, place = at + length, place + 2 * (dims + axes)
        pairs = tuple(zip(own[0 : 2 * dims : 2], own[1 : 2 * dims : 2], strict=False))
        found.append(_footprint(address, block, pairs, page_size, pid))
        if axes:
            shape, strides = tuple(own[2 * dims : -axes]), tuple(own[-axes:])
            shapes[index] = shape, strides
            if len(shape) != len(strides):
                raise DamagedError("numbers ends too early")
            npz.check_axes(shape, strides, found[-1].span)
    if at != len(text) or place != len(numbers) or len(names) != len(found):
        raise DamagedError("names and numbers do not fit the members")
    _refuse_many_blocks(found)
    parted: dict[int, Parted] = {index: each for index, each in enumerate(found) if each.dims}
    parted.update(_read_pieces(archive, found, page_size, pid))
    return NamedFootprints(
        list(names),
        [each.address for each in found],
        [0 if each.dims else each.block for each in found],
        parted,
        shapes,
        page_size,
        pid,
    )


def _read_pieces(
    archive: Archive, members: list[Footprint], page_size: int, pid: int
) -> Iterator[tuple[int, Pieces]]:
    """Yield the members that have several pieces, by their index."""
    rows = archive.array("pieces", np.dtype(np.uint64), 3 * _MOST_PIECES)
    if rows.ndim != 2 or rows.shape[1] != 3:
        raise DamagedError(f"pieces has the shape {rows.shape}, expected (n, 3)")
    owner, nbytes = rows[:, 0], rows[:, 2]
    if (owner[1:] < owner[:-1]).any() or (nbytes >= 1 << 62).any():
        raise DamagedError("pieces are not in the order of their members, or too long")
    indices, first = np.unique(owner, return_index=True)
    for index, part in zip(indices.tolist(), np.split(rows, first[1:]), strict=False):
        if index >= len(members) or members[index].block:
            raise DamagedError(f"member {index} has pieces, but is contiguous or missing")
        try:
            yield index, Pieces(part[:, 1], part[:, 2].astype(np.int64), (), page_size, pid)
        except ValueError as error:
            raise DamagedError(str(error)) from None


def _decoded(text: bytes, index: int) -> str:
    try:
        return text.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise DamagedError(f"the name of member {index} is not UTF-8") from None


def _footprint(
    address: int, block: int, dims: tuple[tuple[int, int], ...], page_size: int, pid: int
) -> Footprint:
    try:
        return Footprint(address, block, dims, page_size, pid)
    except ValueError as error:
        raise DamagedError(str(error)) from None


def _refuse_many_blocks(members: list[Footprint]) -> None:
    blocks = sum(math.prod(count for _, count in each.dims) for each in members)
    if blocks > _MOST_BLOCKS:
        raise DamagedError(f"the members have {blocks:,} blocks, expected at most {_MOST_BLOCKS:,}")


def _check_union(total: Mapping[str, Any], footprints: NamedFootprints) -> None:
    """Check that the pages of the members are those of the total."""
    try:
        pieces = footprints.pieces
    except ValueError as error:
        raise DamagedError(str(error)) from None
    known = tuple(total[name] for name in ("address", "nbytes", "pages"))
    # Pages are counted last, because that takes memory.
    if (pieces.address, pieces.nbytes) != known[:2] or pieces.pages != known[2]:
        raise DamagedError("the members do not have the bytes and pages of the total")
    runs: npt.NDArray[np.void] = total["runs"]
    held = pieces.held(runs["address"], runs["pages"])
    if not np.array_equal(held, runs["nbytes"]):
        raise DamagedError("the members are not where the runs are")
