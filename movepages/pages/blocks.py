"""Split a footprint into blocks of about a given size, with no huge page in two blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .._core import HUGE_PAGE_BYTES
from .page_set import PageSet, Rows

Ints: TypeAlias = "npt.NDArray[np.int64]"


# Takes a row's start, its pages and the most pages with memory; returns how many to take next.
Reach: TypeAlias = Callable[[int, int, int], int]


def _no_further(_: int, pages: int, most: int) -> int:
    return min(pages, most)


def cut_rows(footprint: PageSet, most: int, reach: Reach = _no_further) -> Iterator[Rows]:
    """Yield blocks of rows, about `most` pages each, with no huge page in two blocks.

    `reach` says where a block may end, so that a block can include any number of pages without
    memory. It is called after the caller has taken the previous block.
    """
    size = footprint.page_size
    most = -(-most * size // HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES // size
    if footprint.contiguous:
        yield from _cut_one(footprint, most, reach)
        return
    rest: Rows = np.empty(0, np.uintp), np.empty(0, np.int64)
    for some, final in _and_whether_last(footprint.ranges()):
        cut = _cut_long(_cut_at_huge_pages(some, size), size, most)
        addresses, pages = (np.concatenate(pair) for pair in zip(rest, cut, strict=True))
        last = addresses + (pages - 1).astype(np.uintp) * np.uintp(size)
        huge_page = np.uintp(HUGE_PAGE_BYTES)
        cuts = np.flatnonzero(np.append(True, addresses[1:] // huge_page != last[:-1] // huge_page))
        if final:
            cuts = np.append(cuts, len(pages))
        for first, end in _blocks((addresses, pages), last, cuts, most, size, reach):
            yield addresses[first:end], pages[first:end]
        # Keep the rows in the last huge page back: later rows may share it.
        rest = addresses[cuts[-1] :], pages[cuts[-1] :]


def _and_whether_last(parts: Iterator[Rows]) -> Iterator[tuple[Rows, bool]]:
    part = next(parts, None)
    while part is not None:
        after = next(parts, None)
        yield part, after is None
        part = after


def _blocks(
    rows: Rows, last: npt.NDArray[np.uintp], cuts: Ints, most: int, size: int, reach: Reach
) -> Iterator[tuple[int, int]]:
    """Yield the first row and the end of each block, both from `cuts`, up to the last cut."""
    addresses, pages = rows
    ahead = np.append(0, np.cumsum(pages))[cuts]
    place = 0
    while place < len(cuts) - 1:
        first = int(cuts[place])
        start, span = int(addresses[first]), int(last[cuts[-1] - 1] - addresses[first]) // size + 1
        until = start + reach(start, span, most) * size
        # End at `until` or after `most` pages, whichever is later, but at the next cut at least.
        reached = int(np.searchsorted(last, np.uintp(until - size), "right"))
        ends = (
            int(np.searchsorted(cuts, reached, "right")) - 1,
            int(np.searchsorted(ahead, ahead[place] + most, "right")) - 1,
        )
        end = min(max(*ends, place + 1), len(cuts) - 1)
        yield first, int(cuts[end])
        place = end


def _cut_long(rows: Rows, size: int, most: int) -> Rows:
    """Cut rows at addresses that are multiples of `most` pages."""
    addresses, pages = rows
    if pages.max(initial=0) <= most:
        return rows
    chunk = np.uintp(most * size)
    end = addresses + pages.astype(np.uintp) * np.uintp(size)
    parts = ((end - np.uintp(1)) // chunk - addresses // chunk).astype(np.int64) + 1
    which = np.repeat(np.arange(len(pages)), parts)
    within = np.arange(len(which)) - np.repeat(np.cumsum(parts) - parts, parts)
    border = (addresses // chunk)[which] * chunk + within.astype(np.uintp) * chunk
    begin = np.maximum(border, addresses[which])
    until = np.minimum(border + chunk, end[which])
    return begin, ((until - begin) // np.uintp(size)).astype(np.int64)


def _cut_at_huge_pages(rows: Rows, size: int) -> Rows:
    """Cut each row in two at the start of its last huge page."""
    addresses, pages = rows
    huge_page, page = np.uintp(HUGE_PAGE_BYTES), np.uintp(size)
    border = (addresses + (pages - 1).astype(np.uintp) * page) // huge_page * huge_page
    across = border > addresses
    which = np.repeat(np.arange(len(pages)), 1 + across)
    second = np.append(False, which[1:] == which[:-1])
    ahead = ((border - addresses) // page).astype(np.int64)
    counts = np.where(across[which], ahead[which], pages[which])
    counts[second] = (pages - ahead)[which[second]]
    return np.where(second, border[which], addresses[which]), counts


def _cut_one(footprint: PageSet, most: int, reach: Reach) -> Iterator[Rows]:
    size = footprint.page_size
    for addresses, pages in footprint.ranges():
        first, total = int(addresses[0]), int(pages[0])
        if total <= most + first % HUGE_PAGE_BYTES // size:
            yield addresses, pages
            return
        done = 0
        while done < total:
            start = first + done * size
            ahead = start % HUGE_PAGE_BYTES // size
            some = reach(start, total - done, most - ahead)
            if some < total - done:
                # End at the end of a huge page, and take one huge page at least.
                whole = max((some + ahead) * size // HUGE_PAGE_BYTES, 1)
                some = whole * HUGE_PAGE_BYTES // size - ahead
            some = min(some, total - done)
            yield np.array([start], np.uintp), np.array([some], np.int64)
            done += some
