"""Pieces: the bytes of many footprints together, each byte and each page counted once."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .disjoint import MOST_BLOCKS, disjoint
from .footprint import Footprint
from .page_set import Rows, numbers_in
from .strides import SPANS_AT_ONCE, Ints

Pages: TypeAlias = "npt.NDArray[np.uintp]"


class Pieces:
    """The union of contiguous pieces and strided footprints of one process.

    Parameters
    ----------
    address : ndarray of uintp, shape (n,)
        First byte of each contiguous piece, in any order.
    nbytes : ndarray of int64, shape (n,)
        Length of each piece; 0 is allowed. Pieces may overlap.
    strided : sequence of Footprint
        Further pieces, which may overlap others too.
    page_size, pid : int
        As in `Footprint`; those of all pieces.
    most_blocks : int, optional
        Blocks of strided footprints that overlap others and are therefore taken one by one.

    Raises
    ------
    ValueError
        A piece ends beyond the highest address, or strided pieces overlap so finely that it would
        take too much memory to count each byte once.
    """

    def __init__(
        self,
        address: npt.NDArray[np.uintp],
        nbytes: Ints,
        strided: Sequence[Footprint],
        page_size: int,
        pid: int = 0,
        *,
        most_blocks: int = MOST_BLOCKS,
    ) -> None:
        self.page_size, self.pid = page_size, pid
        begin, end, self._strided = disjoint(address, nbytes, strided, most_blocks)
        self._begin, self._end = begin, end
        self._starts = np.array([each.address for each in self._strided], np.uintp)
        self._sums = np.cumsum([0, *(each.nbytes for each in self._strided)])
        spans = [(each.address, each.address + each.span) for each in self._strided]
        if len(begin):
            spans.append((int(begin[0]), int(end[-1])))
        self.address = min((low for low, _ in spans), default=0)
        self.span = max((high for _, high in spans), default=0) - self.address

    @property
    def intervals(self) -> tuple[npt.NDArray[np.uintp], Ints]:
        """Address and length of what is contiguous; no two touch."""
        return self._begin, (self._end - self._begin).view(np.int64)

    @cached_property
    def _before(self) -> Ints:
        """Bytes before each contiguous piece, and in all."""
        before = np.zeros(len(self._begin) + 1, np.int64)
        np.subtract(self._end, self._begin, out=before[1:].view(np.uintp))
        return np.cumsum(before, out=before)

    @property
    def contiguous(self) -> bool:
        """Whether the bytes are one run without gaps."""
        return not self._strided and len(self._begin) < 2

    @cached_property
    def nbytes(self) -> int:
        """Distinct bytes; those that pieces share count once."""
        return int(self._before[-1] + self._sums[-1])

    @cached_property
    def pages(self) -> int:
        """Number of distinct pages that hold at least one of the bytes."""
        first, last = self._contiguous_rows
        pages = int((last - first).sum()) + len(first)
        if not self._strided:
            return pages
        # The spans of strided pieces overlap nothing, so only their first and last page are shared.
        size = self.page_size
        edges: list[int] = []
        for each in self._strided:
            pages += each.pages
            edges += {each.address // size, (each.address + each.span - 1) // size}
        edge, count = np.unique(np.array(edges, np.uintp), return_counts=True)
        row = np.searchsorted(first, edge, "right")
        inside = np.append(np.uintp(0), last)[row] >= edge
        return pages - int((count - 1 + (inside & (row > 0))).sum())

    @cached_property
    def shared_edges(self) -> int:
        """Number of partly covered pages; the rest of each may belong to a neighbour."""
        size = np.uintp(self.page_size)
        if not self._strided:
            # Contiguous pieces do not touch, so what covers a page is one long piece.
            long = np.flatnonzero(self._end - self._begin >= size)
            first = (self._begin[long] + (size - np.uintp(1))) // size
            return self.pages - int((self._end[long] // size - first).sum())
        edges = [self._begin // size * size, (self._end - np.uintp(1)) // size * size]
        for each in self._strided:
            edges += [addresses for addresses, _ in each.chunks(SPANS_AT_ONCE)]
        found = np.unique(np.concatenate(edges))
        _, held = self.position(found)
        return int(np.count_nonzero(held < self.page_size))

    @cached_property
    def _rows(self) -> Rows:
        size = np.uintp(self.page_size)
        parts = [self._contiguous_rows]
        for each in self._strided:
            for addresses, pages in each.ranges():
                first = addresses // size
                parts.append((first, first + (pages - 1).astype(np.uintp)))
        first, last = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(first, kind="stable")
        first, last = _rows_of(first[order], last[order])
        return first * size, (last - first).astype(np.int64) + 1

    @cached_property
    def _contiguous_rows(self) -> tuple[Pages, Pages]:
        """Numbers of the first and the last page of each row of pages with contiguous pieces."""
        size = np.uintp(self.page_size)
        # Pieces less than a page apart are in one row, and a row may have very many.
        far = np.flatnonzero(self._begin[1:] - self._end[:-1] >= size)
        begin = self._begin[np.append(0, far + 1)[: len(self._begin)]]
        end = self._end[np.append(far, -1)[: len(self._end)]]
        return _rows_of(begin // size, (end - np.uintp(1)) // size)

    def index_of(self, addresses: npt.NDArray[np.uintp]) -> Ints:
        """Return the number of each page among all pages that hold some of the bytes."""
        return numbers_in(self._rows, addresses, self.page_size)[0]

    def ranges(self) -> Iterator[Rows]:
        """Yield the pages as rows of neighbours, at most 65,536 rows at a time."""
        addresses, pages = self._rows
        for low in range(0, len(pages), SPANS_AT_ONCE):
            some = slice(low, low + SPANS_AT_ONCE)
            yield addresses[some], pages[some]

    def chunks(self, max_pages: int) -> Iterator[Rows]:
        """Yield the pages in chunks, as `Footprint.chunks` does."""
        limit = operator.index(max_pages)
        if limit < 1:
            raise ValueError(f"max_pages must be at least 1, got {limit}")
        addresses, pages = self._rows
        ends = np.cumsum(pages)
        for low in range(0, self.pages, limit):
            index = np.arange(low, min(low + limit, self.pages))
            row = np.searchsorted(ends, index, "right")
            within = (index - (ends - pages)[row]).astype(np.uintp)
            some = addresses[row] + within * np.uintp(self.page_size)
            yield some, self.position(some)[1]

    def held(self, addresses: npt.NDArray[np.uintp], pages: Ints) -> Ints:
        """Count the bytes in each row of pages."""
        ends = addresses + pages.astype(np.uintp) * np.uintp(self.page_size)
        return self._below(ends) - self._below(addresses)

    def position(self, addresses: npt.NDArray[np.uintp]) -> tuple[Ints, Ints]:
        """Return how many bytes lie before each page, and how many in it."""
        before = self._below(addresses)
        return before, self._below(addresses + np.uintp(self.page_size)) - before

    def _below(self, addresses: npt.NDArray[np.uintp]) -> Ints:
        """Count the bytes below each address."""
        piece = np.searchsorted(self._begin, addresses)
        total: Ints = self._before[piece]
        if len(self._end):
            # The last piece that begins below may end above.
            reach = np.where(piece > 0, self._end[piece - 1], addresses)
            total = total - (np.maximum(reach, addresses) - addresses).astype(np.int64)
        if not self._strided:
            return total
        # These lie apart, so an address is within one of them at most.
        place = np.searchsorted(self._starts, addresses)
        total = total + self._sums[np.maximum(place - 1, 0)]
        order = np.argsort(place, kind="stable")
        edges = np.flatnonzero(np.diff(place[order], prepend=0))
        for some in np.split(order, edges):
            if len(some) and (number := int(place[some[0]])):
                total[some] += self._strided[number - 1].below(addresses[some])
        return total


def _rows_of(first: Pages, last: Pages) -> tuple[Pages, Pages]:
    """Join rows of pages that overlap or touch, with first pages that ascend."""
    last = np.maximum.accumulate(last)
    new = np.append(True, first[1:] > last[:-1] + np.uintp(1))[: len(first)]
    return first[new], last[np.append(new[1:], True)[: len(first)]]
