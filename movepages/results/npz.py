"""Placements in .npz files: written in full or not at all, and checked when read."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core import MAX_NODES, NOT_ATTEMPTED
from ..pages.runs import RUN_DTYPE, Runs
from .absence import ABSENCE_DTYPE, Absence, Absences
from .atomic_file import replacing
from .npz_archive import Archive
from .npz_directory import DamagedError
from .npz_format import pack

_NUMBERS = ("address", "nbytes", "pages", "page_size", "shared_edges", "pid")
MEMBERS = ("movepages_placement", "runs", "absences", "axes", "huge_bytes")

_PAGE_SIZES = 1 << 10, 1 << 30
_MOST_DIMENSIONS = 64
_LOWEST_ERRNO = -4095


def arrays_of(values: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Return the fields of a placement as arrays."""
    huge = values["huge_bytes"]
    return {
        "movepages_placement": np.array([values[name] for name in _NUMBERS], np.uint64),
        "runs": values["runs"],
        "absences": values["absences"],
        "axes": np.array((values["shape"], values["strides"]), np.int64),
        "huge_bytes": np.array([-1 if huge is None else huge], np.int64),
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
    with opened(file, MEMBERS, "Placement") as archive:
        return read_placement(archive)


@contextlib.contextmanager
def opened(file: str | os.PathLike[str], members: Sequence[str], kind: str) -> Iterator[Archive]:
    """Open an archive; damage in it raises ValueError with the name of the file."""
    try:
        with open(file, "rb") as source:
            yield Archive(source, members)
    except DamagedError as error:
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
    _check_numbers(values)
    runs = _read_stretches(archive, "runs", RUN_DTYPE, values, values["pages"])
    _check_sums(values, runs)
    absent = int(runs["pages"][runs["status"] < 0].sum())
    absences = _read_stretches(archive, "absences", ABSENCE_DTYPE, values, absent)
    _check_absences(runs, absences, values["page_size"])
    shape, strides = _read_axes(archive, values, runs)
    huge = _read_huge_bytes(archive, values["nbytes"])
    known = {"runs": runs, "absences": absences, "huge_bytes": huge}
    return {**values, **known, "shape": shape, "strides": strides}


def _check_numbers(values: Mapping[str, int]) -> None:
    address, nbytes, pages = values["address"], values["nbytes"], values["pages"]
    size, shared = values["page_size"], values["shared_edges"]
    least, most = _PAGE_SIZES
    if size & (size - 1) or not least <= size <= most:
        raise DamagedError(
            f"page_size is {size:,} bytes, expected a power of two from 1 KiB to 1 GiB"
        )
    if values["pid"] >= 1 << 31:
        raise DamagedError(f"pid is {values['pid']}, expected a number below 2**31")
    if nbytes >= 1 << 63 or pages > (1 << 63) // size or address + nbytes > 1 << 64:
        raise DamagedError(
            f"no address space has {nbytes:,} bytes in {pages:,} pages at {address:#x}"
        )
    # A shared edge page holds at least one byte of the array and at least one other byte.
    if shared > pages or not (pages - shared) * size + shared <= nbytes <= pages * size - shared:
        raise DamagedError(
            f"{pages:,} pages, {shared:,} of them partly filled, cannot hold {nbytes:,} bytes"
        )


def _read_stretches(
    archive: Archive, name: str, dtype: np.dtype[Any], values: Mapping[str, int], most: int
) -> npt.NDArray[np.void]:
    """Read records of ascending stretches of pages, stopping at the first invalid one."""
    found, start = bytearray(), values["address"] - values["address"] % values["page_size"]
    for part in archive.records(name, dtype, most):
        start = _check_stretches(name, part, values["page_size"], start)
        _check_kinds(name, part)
        found += part.tobytes()
    records: npt.NDArray[np.void] = np.ndarray(len(found) // dtype.itemsize, dtype, found)
    records.flags.writeable = False
    return records


def _check_stretches(name: str, part: npt.NDArray[np.void], size: int, start: int) -> int:
    """Check that stretches ascend from `start` without overlap; return the end of the last one."""
    address, pages = np.ascontiguousarray(part["address"]), part["pages"]
    # Pages up to the end of the address space. The end itself, 2**64, does not fit in 64 bits.
    room = (np.uintp(2**64 - 1) - address) // np.uintp(size) + np.uintp(1)
    whole = (address % np.uintp(size) == 0).all() and (pages >= 1).all()
    if not whole or not (pages.astype(np.uintp) <= room).all():
        raise DamagedError(f"{name} has records that are not ranges of whole pages")
    gaps = (address[1:] - address[:-1]) // np.uintp(size)
    ordered = (address[1:] > address[:-1]).all() and (gaps >= pages[:-1].astype(np.uintp)).all()
    if not ordered or int(address[0]) < start:
        raise DamagedError(f"{name} has records that overlap or do not ascend")
    return int(address[-1]) + int(pages[-1]) * size


def _check_kinds(name: str, part: npt.NDArray[np.void]) -> None:
    if name == "absences":
        sound = (part["reason"] >= min(Absence).value) & (part["reason"] <= max(Absence).value)
    else:
        status = part["status"]
        sound = (status >= _LOWEST_ERRNO) & (status < MAX_NODES) | (status == NOT_ATTEMPTED)
    if not sound.all():
        raise DamagedError(f"{name} has records with an unknown status or reason")


def _check_sums(values: Mapping[str, int], runs: Runs) -> None:
    for name, what in (("pages", "pages"), ("nbytes", "bytes")):
        # The sum uses Python's integers, because 64-bit integers would wrap.
        total = sum(runs[name].tolist())
        if total != values[name]:
            raise DamagedError(f"runs have {total:,} {what}, expected {values[name]:,}")
    # Each page holds at least one byte of the array and at most page_size bytes.
    pages, nbytes = runs["pages"], runs["nbytes"]
    if (nbytes < pages).any() or ((nbytes - 1) // values["page_size"] >= pages).any():
        raise DamagedError("runs have fewer bytes than pages, or more bytes than fit")
    first = values["address"] - values["address"] % values["page_size"]
    if len(runs) and int(runs["address"][0]) != first:
        raise DamagedError(f"runs do not begin in the page of the address {values['address']:#x}")


def _check_absences(runs: Runs, absences: Absences, size: int) -> None:
    """Check that each record covers only pages that are in the runs and have no node."""
    if not len(absences):
        return
    start, absent = np.ascontiguousarray(runs["address"]), runs["pages"] * (runs["status"] < 0)
    below = np.cumsum(absent) - absent

    def absent_before(page: npt.NDArray[np.uintp]) -> tuple[Any, Any]:
        run = np.searchsorted(start, page, "right") - 1
        within = ((page - start[run]) // np.uintp(size)).astype(np.int64)
        return below[run] + np.minimum(within, absent[run]), within < absent[run]

    first, pages = absences["address"], absences["pages"]
    last = first + (pages - 1).astype(np.uintp) * np.uintp(size)
    before, (until, ends) = absent_before(first)[0], absent_before(last)
    if not ends.all() or (until - before != pages - 1).any():
        raise DamagedError("absences has pages that are not absent in the runs")


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


def _read_axes(
    archive: Archive, values: Mapping[str, int], runs: Runs
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    # Files written before placements had pictures lack this member.
    if "axes" not in archive:
        return (), ()
    axes = archive.array("axes", np.dtype(np.int64), 2 * _MOST_DIMENSIONS)
    if axes.ndim != 2 or len(axes) != 2 or axes.shape[1] == 1:
        raise DamagedError(f"axes has the shape {axes.shape}, expected (2, n) with n other than 1")
    shape, strides = axes.tolist()
    end = values["address"]
    if len(runs):
        end = int(runs["address"][-1]) + int(runs["pages"][-1]) * values["page_size"]
    check_axes(shape, strides, end - values["address"])
    return tuple(shape), tuple(strides)


def check_axes(shape: Sequence[int], strides: Sequence[int], room: int) -> None:
    """Check that an array of this shape fits `room` bytes; there may be no bytes at all.

    Raises
    ------
    DamagedError
        It does not.
    """
    elements = math.prod(n for n in shape if n)
    if min(shape, default=0) < 0 or elements >= 1 << 63:
        raise DamagedError(f"axes has the array shape {tuple(shape)}, which no array can have")
    reach = sum((n - 1) * abs(stride) for n, stride in zip(shape, strides, strict=True))
    if room and shape and (0 in shape or reach >= room):
        raise DamagedError(f"axes has the array shape {tuple(shape)}, which does not fit the runs")
