"""Placements in .npz files: written in full or not at all, and checked when read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..pages.runs import RUN_DTYPE, Runs
from .absence import ABSENCE_DTYPE
from .atomic_file import replacing
from .npz_archive import Archive
from .npz_checks import (
    check_axes,
    check_kinds,
    check_numbers,
    check_stretches,
    check_sums,
    check_within,
)
from .npz_directory import DamagedError
from .npz_format import pack
from .npz_limits import MOST_DIMENSIONS, BeyondLimitsError

_NUMBERS = ("address", "nbytes", "pages", "page_size", "shared_edges", "pid")
_MEMBERS = ("movepages_placement", "runs", "absences", "axes", "huge_bytes", "source")
_SOURCES = ("move_pages", "policy", "proc")
# Those that a file of `Placements` has besides.
_SEVERAL = ("members", "names", "numbers", "pieces", "huge_runs")


def arrays_of(values: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Return the fields of a placement as arrays."""
    huge = values["huge_bytes"]
    return {
        "movepages_placement": np.array([values[name] for name in _NUMBERS], np.uint64),
        "runs": values["runs"],
        "absences": values["absences"],
        "axes": np.array((values["shape"], values["strides"]), np.int64),
        "huge_bytes": np.array([-1 if huge is None else huge], np.int64),
        "source": np.array([_SOURCES.index(values["source"])], np.int64),
    }


def write(arrays: Mapping[str, npt.NDArray[Any]], file: str | os.PathLike[str]) -> None:
    """Write arrays to a file, replacing an existing file atomically."""
    with replacing(file) as out:
        pack(out, arrays)


def read(file: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the fields of the placement in a file.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        The file is not a saved placement, or its content is inconsistent.
    """
    with opened(file, "Placement") as archive:
        return read_placement(archive)


@contextlib.contextmanager
def opened(file: str | os.PathLike[str], kind: str) -> Iterator[Archive]:
    """Open an archive; damage in it raises ValueError with the name of the file.

    `kind` is the class whose `load` reads the file.
    """
    try:
        with open(file, "rb") as source:
            archive = Archive(source, (*_MEMBERS, *_SEVERAL))
            several = any(name in archive for name in _SEVERAL)
            if several and kind == "Placement":
                raise DamagedError("it has several members; Placements.load() reads such files")
            if not several and kind == "Placements":
                raise DamagedError("it has no members; Placement.load() reads such files")
            yield archive
    except (DamagedError, BeyondLimitsError) as error:
        raise ValueError(
            f"{os.fspath(file)!r} is not a placement that {kind}.save() wrote: {error}"
        ) from None


def read_placement(archive: Archive) -> dict[str, Any]:
    """Return the fields of the placement in an archive.

    Raises
    ------
    DamagedError
        The content is inconsistent.
    """
    numbers = archive.array("movepages_placement", np.dtype(np.uint64), len(_NUMBERS))
    if numbers.shape != (len(_NUMBERS),):
        raise DamagedError(
            f"movepages_placement has {numbers.size} numbers, expected {len(_NUMBERS)}"
        )
    values: dict[str, Any] = dict(zip(_NUMBERS, numbers.tolist(), strict=True))
    check_numbers(values)
    runs = _read_stretches(archive, "runs", RUN_DTYPE, values, values["pages"])
    check_sums(values, runs)
    values["runs"] = runs
    values["absences"] = read_stretches_in(
        archive, "absences", ABSENCE_DTYPE, values, runs["status"] < 0
    )
    shape, strides = _read_axes(archive, values, runs)
    huge = _read_huge_bytes(archive, values["nbytes"])
    source = _read_source(archive)
    return {**values, "huge_bytes": huge, "source": source, "shape": shape, "strides": strides}


def _read_stretches(
    archive: Archive, name: str, dtype: np.dtype[Any], values: Mapping[str, int], most: int
) -> npt.NDArray[np.void]:
    """Read records of ascending stretches of pages, stopping at the first invalid one."""
    found, start = bytearray(), values["address"] - values["address"] % values["page_size"]
    for part in archive.records(name, dtype, most):
        start = check_stretches(name, part, values["page_size"], start)
        check_kinds(name, part)
        found += part.tobytes()
    records: npt.NDArray[np.void] = np.ndarray(len(found) // dtype.itemsize, dtype, found)
    records.flags.writeable = False
    return records


def read_stretches_in(
    archive: Archive,
    name: str,
    dtype: np.dtype[Any],
    values: Mapping[str, Any],
    which: npt.NDArray[np.bool_],
) -> npt.NDArray[np.void]:
    """Read records of stretches of pages that are in some of the runs."""
    runs = values["runs"]
    found = _read_stretches(archive, name, dtype, values, int(runs["pages"][which].sum()))
    check_within(name, found, runs, which, values["page_size"])
    return found


def _read_huge_bytes(archive: Archive, nbytes: int) -> int | None:
    # Files written by older versions lack this member.
    if "huge_bytes" not in archive:
        return None
    found = archive.array("huge_bytes", np.dtype(np.int64), 1)
    if found.shape != (1,) or not -1 <= int(found[0]) <= nbytes:
        raise DamagedError(
            f"huge_bytes is {found.tolist()}, expected one number from -1 to {nbytes:,}"
        )
    return None if found[0] < 0 else int(found[0])


def _read_source(archive: Archive) -> str:
    # Files written by older versions lack this member.
    if "source" not in archive:
        return _SOURCES[0]
    found = archive.array("source", np.dtype(np.int64), 1)
    if found.shape != (1,) or not 0 <= int(found[0]) < len(_SOURCES):
        raise DamagedError(f"source is {found.tolist()}, expected one number below {len(_SOURCES)}")
    return _SOURCES[int(found[0])]


def _read_axes(
    archive: Archive, values: Mapping[str, int], runs: Runs
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    # Files written before placements had pictures lack this member.
    if "axes" not in archive:
        return (), ()
    axes = archive.array("axes", np.dtype(np.int64), 2 * MOST_DIMENSIONS)
    if axes.ndim != 2 or len(axes) != 2 or axes.shape[1] == 1:
        raise DamagedError(f"axes has the shape {axes.shape}, expected (2, n) with n other than 1")
    shape, strides = axes.tolist()
    end = values["address"]
    if len(runs):
        end = int(runs["address"][-1]) + int(runs["pages"][-1]) * values["page_size"]
    check_axes(shape, strides, end - values["address"])
    return tuple(shape), tuple(strides)
