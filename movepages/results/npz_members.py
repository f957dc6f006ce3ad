"""Placements of several members in .npz files, checked when read."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..pages.footprint import Footprint
from ..pages.named import NamedFootprints, Parted
from ..pages.pieces import Pieces
from ..pages.runs import RUN_DTYPE, Runs
from . import npz
from .npz_archive import Archive
from .npz_directory import DamagedError
from .npz_limits import MOST_OVERLAPPING_BLOCKS, refuse_beyond
from .npz_member_arrays import (
    Columns,
    Counts,
    Ints,
    members_of_pieces,
    read_columns,
    read_dimensions,
    read_names,
    read_pieces,
    read_shapes,
    read_strided,
)


class Loaded(NamedTuple):
    """What a file holds: the fields of the total, the members, and the runs in huge pages."""

    total: dict[str, Any]
    footprints: NamedFootprints
    huge: Runs | None


def write(
    total: Mapping[str, Any],
    footprints: NamedFootprints,
    huge: Runs | None,
    file: str | os.PathLike[str],
) -> None:
    """Write the fields of the total and the members to a file, replacing it atomically.

    Raises
    ------
    OSError
        The file cannot be written.
    ValueError
        `read` would refuse the file, because it is beyond the limits.
    """
    try:
        arrays = _as_arrays(footprints)
        strided = _strided(footprints)
        _union(footprints.address, footprints.nbytes, arrays["pieces"], strided, total)
    except ValueError as error:
        raise ValueError(
            f"too much for one file: {error}; save the placements of parts of the object, such as "
            "placements.below(name)"
        ) from None
    if huge is not None:
        arrays["huge_runs"] = huge
    npz.write({**npz.arrays_of(total), **arrays}, file)


def _as_arrays(footprints: NamedFootprints) -> dict[str, npt.NDArray[Any]]:
    rows, names, numbers = [], bytearray(), []
    pieces = [np.empty((0, 3), np.uint64)]
    for index, (name, each) in enumerate(zip(footprints.names, footprints, strict=True)):
        text = name.encode("utf-8", "surrogatepass")
        shape, strides = footprints.shapes.get(index, ((), ()))
        block, dims = (each.block, each.dims) if isinstance(each, Footprint) else (0, ())
        if isinstance(each, Pieces):
            begin, nbytes = each.intervals
            owner = np.full_like(begin, index)
            pieces.append(np.stack((owner, begin, nbytes.astype(np.uint64)), 1))
        rows.append((len(text), each.address, block, len(dims), len(shape)))
        names += text
        numbers += [number for pair in dims for number in pair] + [*shape, *strides]
    arrays: dict[str, npt.NDArray[Any]] = {
        "members": np.array(rows, np.uint64).reshape(-1, len(Columns._fields)),
        "names": np.frombuffer(bytes(names), np.uint8),
        "numbers": np.array(numbers, np.int64),
        # The member, address and length of each piece of members that are more than a footprint.
        "pieces": np.concatenate(pieces),
    }
    refuse_beyond(
        {
            "members": len(rows),
            "bytes of names": len(names),
            "shapes and strides": len(numbers),
            "pieces": len(arrays["pieces"]),
        }
    )
    return arrays


def _strided(footprints: NamedFootprints) -> list[Footprint]:
    return [each for each in footprints.parted.values() if isinstance(each, Footprint)]


def _union(
    address: npt.NDArray[np.uintp],
    nbytes: Ints,
    pieces: Counts,
    strided: list[Footprint],
    total: Mapping[str, Any],
) -> Pieces:
    """Return the bytes of all members, if that takes no more memory and time than it may."""
    refuse_beyond({"blocks": sum(math.prod(count for _, count in each.dims) for each in strided)})
    return Pieces(
        np.concatenate((address, pieces[:, 1])),
        np.concatenate((nbytes, pieces[:, 2].astype(np.int64))),
        strided,
        total["page_size"],
        total["pid"],
        most_blocks=MOST_OVERLAPPING_BLOCKS,
    )


def read(file: str | os.PathLike[str]) -> Loaded:
    """Return the placements in a file.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        The file is not a saved `Placements`, or its content is inconsistent.
    """
    with npz.opened(file, "Placements") as archive:
        total = npz.read_placement(archive)
        columns = read_columns(archive)
        dimensions = read_dimensions(archive, columns)
        pieces = read_pieces(archive, columns)
        parted: dict[int, Parted] = dict(read_strided(dimensions, total))
        nbytes = np.where(columns.strides > 0, np.uint64(0), columns.block).astype(np.int64)
        strided = [each for each in parted.values() if isinstance(each, Footprint)]
        # Arrays alone are checked first, because objects for each member take far more memory.
        union = _checked_union(columns.address, nbytes, pieces, strided, total)
        huge = _read_huge(archive, total, union)
        names = read_names(archive, columns.name)
        shapes = dict(read_shapes(dimensions, parted))
        parted.update(members_of_pieces(pieces, total))
    size, pid = total["page_size"], total["pid"]
    footprints = NamedFootprints(names, columns.address, nbytes, parted, shapes, size, pid)
    return Loaded(total, footprints, huge)


def _checked_union(
    address: npt.NDArray[np.uintp],
    nbytes: Ints,
    rows: Counts,
    strided: list[Footprint],
    total: Mapping[str, Any],
) -> Pieces:
    """Return the bytes of all members, after a check that they are those of the total."""
    try:
        pieces = _union(address, nbytes, rows, strided, total)
    except ValueError as error:
        raise DamagedError(str(error)) from None
    known = tuple(total[name] for name in ("address", "nbytes", "pages"))
    # Pages are counted last, because that takes time.
    if (pieces.address, pieces.nbytes) != known[:2] or pieces.pages != known[2]:
        raise DamagedError("the members do not have the bytes and pages of the total")
    if not _are_held(total["runs"], pieces):
        raise DamagedError("the members are not where the runs are")
    return pieces


def _are_held(runs: Runs, pieces: Pieces) -> bool:
    held = pieces.held(runs["address"], runs["pages"])
    return np.array_equal(held, runs["nbytes"])


def _read_huge(archive: Archive, total: Mapping[str, Any], pieces: Pieces) -> Runs | None:
    # Files written by older versions lack this array.
    if "huge_runs" not in archive:
        return None
    placed = total["runs"]["status"] >= 0
    huge = npz.read_stretches_in(archive, "huge_runs", RUN_DTYPE, total, placed)
    nbytes = sum(huge["nbytes"].tolist())
    if nbytes != total["huge_bytes"] or not _are_held(huge, pieces):
        raise DamagedError("huge_runs does not have the bytes that are in huge pages")
    return huge
