"""Blocks of a footprint as they were found, and what of them is worth a closer look."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ._core import FRAME_BYTES
from .footprint import Footprint
from .found import Found

Ints: TypeAlias = "npt.NDArray[np.int64]"
Rows: TypeAlias = "tuple[npt.NDArray[np.uintp], Ints]"

# Stretches with nothing to do that are shorter are not worth an interruption of the others.
_WORTH_A_CUT = 1024


def cut_rows(footprint: Footprint, most: int) -> Iterator[Rows]:
    """Stream the rows of a footprint, about `most` pages at a time and no huge page in two."""
    size = footprint.page_size
    most = -(-most * size // FRAME_BYTES) * FRAME_BYTES // size
    if footprint.contiguous:
        yield from _cut_one(footprint, most)
        return
    rest: Rows = np.empty(0, np.uintp), np.empty(0, np.int64)
    for some in footprint.ranges():
        cut = _cut_at_frames(some, size)
        addresses, pages = (np.concatenate(pair) for pair in zip(rest, cut, strict=True))
        last = addresses + (pages - 1).astype(np.uintp) * np.uintp(size)
        frame = np.uintp(FRAME_BYTES)
        new = np.append(True, addresses[1:] // frame != last[:-1] // frame)
        group = np.maximum.accumulate(np.where(new, np.cumsum(pages) // most, 0))
        cuts = np.flatnonzero(new & np.append(True, group[1:] != group[:-1]))
        # What shares its last frame with rows to come waits for them.
        waits = np.flatnonzero(new)[-1]
        cuts = np.append(cuts[cuts < waits], waits)
        for first, end in pairwise(cuts.tolist()):
            yield addresses[first:end], pages[first:end]
        rest = addresses[waits:], pages[waits:]
    if len(rest[0]):
        yield rest


def _cut_at_frames(rows: Rows, size: int) -> Rows:
    """Cut rows in two where their last frame begins."""
    addresses, pages = rows
    frame, page = np.uintp(FRAME_BYTES), np.uintp(size)
    border = (addresses + (pages - 1).astype(np.uintp) * page) // frame * frame
    across = border > addresses
    which = np.repeat(np.arange(len(pages)), 1 + across)
    second = np.append(False, which[1:] == which[:-1])
    ahead = ((border - addresses) // page).astype(np.int64)
    counts = np.where(across[which], ahead[which], pages[which])
    counts[second] = (pages - ahead)[which[second]]
    return np.where(second, border[which], addresses[which]), counts


def _cut_one(footprint: Footprint, most: int) -> Iterator[Rows]:
    size = footprint.page_size
    for addresses, pages in footprint.ranges():
        first, total = int(addresses[0]), int(pages[0])
        ahead = first % FRAME_BYTES // size
        if total <= most + ahead:
            yield addresses, pages
            return
        done = 0
        while done < total:
            some = min(total - done, most - (ahead if done == 0 else 0))
            yield np.array([first + done * size], np.uintp), np.array([some], np.int64)
            done += some


class Stretch(NamedTuple):
    """Neighbouring runs of a block: first and one behind the last, and whether all are done."""

    first: int
    last: int
    done: bool


def stretches(done: npt.NDArray[np.bool_], pages: Ints) -> list[Stretch]:
    """Cut runs into stretches that are done and others."""
    if len(done) < 2:
        return [Stretch(0, 1, bool(each)) for each in done]
    edges = np.append(np.flatnonzero(np.append(True, done[1:] != done[:-1])), len(done))
    sizes = np.add.reduceat(pages, edges[:-1])
    found: list[Stretch] = []
    for first, last, size in zip(edges[:-1].tolist(), edges[1:].tolist(), sizes, strict=True):
        whole = bool(done[first]) and (size >= _WORTH_A_CUT or len(sizes) == 1)
        if found and found[-1].done == whole:
            found[-1] = Stretch(found[-1].first, last, whole)
        else:
            found.append(Stretch(first, last, whole))
    return found


class Pages(NamedTuple):
    """Pages one by one, in address order: where each is, and what was said of it."""

    address: npt.NDArray[np.uintp]
    before: npt.NDArray[np.int32]


def each_page(runs: Found, page_size: int, most: int) -> Iterator[Pages]:
    """Spread runs out, at most `most` pages at a time and no huge page in two."""
    ends = np.cumsum(runs.pages)
    total = int(ends[-1]) if len(ends) else 0
    # Of page i of all: the address, less i pages, is the same throughout a run.
    origin = runs.address - (ends - runs.pages).astype(np.uintp) * np.uintp(page_size)
    start = 0
    while start < total:
        stop = min(start + most, total)
        first, last = np.searchsorted(ends, (start, stop - 1), "right").tolist()
        edges = np.concatenate(([start], ends[first:last], [stop]))
        of_run, counts = slice(first, last + 1), np.diff(edges)
        address = np.arange(start, stop, dtype=np.uintp) * np.uintp(page_size)
        address += np.repeat(origin[of_run], counts)
        status = np.repeat(runs.status[of_run], counts)
        if stop < total:
            frame = address[-1] // np.uintp(FRAME_BYTES) * np.uintp(FRAME_BYTES)
            whole = int(np.searchsorted(address, frame))
            stop = start + (whole or len(address))
            address, status = address[: stop - start], status[: stop - start]
        yield Pages(address, status)
        start = stop
