"""Checks of the content of a saved placement: each raises `DamagedError`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core import MAX_NODES, NOT_ATTEMPTED
from ..pages.runs import Runs
from .absence import Absence
from .npz_directory import DamagedError

_PAGE_SIZES = 1 << 10, 1 << 30
_LOWEST_ERRNO = -4095


def check_numbers(values: Mapping[str, int]) -> None:
    """Check that the numbers of a placement fit each other."""
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


def check_stretches(name: str, part: npt.NDArray[np.void], size: int, start: int) -> int:
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


def check_kinds(name: str, part: npt.NDArray[np.void]) -> None:
    """Check that statuses or reasons are known ones."""
    if name == "absences":
        sound = (part["reason"] >= min(Absence).value) & (part["reason"] <= max(Absence).value)
    else:
        status = part["status"]
        sound = (status >= _LOWEST_ERRNO) & (status < MAX_NODES) | (status == NOT_ATTEMPTED)
    if not sound.all():
        raise DamagedError(f"{name} has records with an unknown status or reason")


def check_sums(values: Mapping[str, int], runs: Runs) -> None:
    """Check that the runs have the pages and bytes of the placement."""
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


def check_within(
    name: str, records: npt.NDArray[np.void], runs: Runs, which: npt.NDArray[np.bool_], size: int
) -> None:
    """Check that each record covers only pages of some of the runs."""
    if not len(records):
        return
    start, counted = np.ascontiguousarray(runs["address"]), runs["pages"] * which
    below = np.cumsum(counted) - counted

    def counted_before(page: npt.NDArray[np.uintp]) -> tuple[Any, Any]:
        run = np.searchsorted(start, page, "right") - 1
        within = ((page - start[run]) // np.uintp(size)).astype(np.int64)
        return below[run] + np.minimum(within, counted[run]), within < counted[run]

    first, pages = records["address"], records["pages"]
    last = first + (pages - 1).astype(np.uintp) * np.uintp(size)
    before, (until, ends) = counted_before(first)[0], counted_before(last)
    if not ends.all() or (until - before != pages - 1).any():
        raise DamagedError(f"{name} has pages that are not such pages in the runs")


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
