"""The bytes that an n-dimensional strided array occupies, and the pages that hold them."""

from __future__ import annotations

import mmap
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .nested import Nested
from .page_counts import count_pages, count_partial
from .strides import Dims, Ints, PageSpans, nest, page_spans

__all__ = ["Footprint"]

Chunk: TypeAlias = tuple[npt.NDArray[np.uintp], Ints]


@dataclass(frozen=True)
class Footprint:
    """Equal blocks of contiguous bytes, repeated along nested strides.

    `from_strides` makes one from an array's address, shape and strides.

    Parameters
    ----------
    address : int
        Address of the lowest byte.
    block : int
        Contiguous bytes in one block; 0 for an empty footprint.
    dims : tuple of (int, int)
        Stride and count of each dimension, the largest stride first. Each stride is at
        least as long as the part that it repeats.
    page_size : int
        A power of two; the system's by default.
    pid : int
        The process that owns the memory; 0 for the caller.
    """

    address: int
    block: int
    dims: Dims = ()
    page_size: int = mmap.PAGESIZE
    pid: int = 0

    def __post_init__(self) -> None:
        if self.page_size < 1 or self.page_size & (self.page_size - 1):
            raise ValueError(f"page_size must be a power of two, got {self.page_size}")
        if self.dims:
            self._blocks.refuse()
        extent = self.span
        if self.block < 0 or self.address < 0 or self.address + extent > 2**64:
            raise ValueError(
                f"bytes must lie in [0, 2**64), got {extent} bytes from address {self.address:#x}"
            )
        if self.dims and (extent >= 2**62 or not self.block):
            raise ValueError(
                "a strided footprint must hold bytes and span less than 2**62, got a span of "
                f"{extent}"
            )

    @classmethod
    def from_strides(
        cls,
        address: int,
        shape: Sequence[int],
        strides: Sequence[int],
        itemsize: int,
        *,
        page_size: int = mmap.PAGESIZE,
        pid: int = 0,
    ) -> Footprint:
        """Return the footprint of an array with this shape and these strides.

        Parameters
        ----------
        address : int
            Address of the element with index 0 along every axis.
        shape, strides : sequence of int
            As in numpy: strides in bytes, of any sign, zero for a broadcast axis.
        itemsize : int
            Bytes of one element.
        page_size, pid : int
            See the class.

        Raises
        ------
        ValueError
            If elements overlap or the strides do not nest; only as_strided() makes such arrays.
        """
        if itemsize == 0 or 0 in shape:
            return cls(address, 0, (), page_size, pid)
        axes = [(s, n) for s, n in zip(strides, shape, strict=True) if s and n > 1]
        address += sum(s * (n - 1) for s, n in axes if s < 0)
        block, dims = nest(sorted((abs(s), n) for s, n in axes), itemsize)
        return cls(address, block, dims, page_size, pid)

    @property
    def contiguous(self) -> bool:
        """Whether the bytes are one run without gaps."""
        return not self.dims

    @property
    def span(self) -> int:
        """Bytes from the lowest to the highest one, gaps included."""
        return self._blocks.span if self.dims else self.block

    @property
    def nbytes(self) -> int:
        """Distinct bytes occupied; bytes that overlap or are broadcast count once."""
        return self._blocks.nbytes if self.dims else self.block

    @cached_property
    def pages(self) -> int:
        """Number of distinct pages that hold at least one of the bytes."""
        if not self.dims:
            return (
                (self._lead + self.block + self.page_size - 1) // self.page_size * bool(self.block)
            )
        if not self._spans.dims:
            return (self._lead + self._spans.extent - 1) // self.page_size + 1
        return count_pages(self._lead, self._blocks, self.page_size)

    @cached_property
    def shared_edges(self) -> int:
        """Number of partly covered pages; the rest of each may belong to a neighbour."""
        if self.dims:
            return count_partial(self._lead, self._blocks, self.page_size)
        if self.pages < 2:
            return int(0 < self.block < self.page_size)
        return (self._lead > 0) + ((self._lead + self.block) % self.page_size > 0)

    def chunks(self, max_pages: int) -> Iterator[Chunk]:
        """Yield the pages in chunks, all full but the last, with bounded memory use.

        Parameters
        ----------
        max_pages : int
            Most pages in one chunk; memory use is proportional to it.

        Returns
        -------
        iterator of (addresses, nbytes)
            Page addresses (uintp; aligned, ascending, distinct over all chunks) and the number of
            bytes of the footprint in each page (int64). The caller may keep both arrays.
        """
        limit = operator.index(max_pages)
        if limit < 1:
            raise ValueError(f"max_pages must be at least 1, got {limit}")
        return self._run_chunks(limit) if self.contiguous else self._strided_chunks(limit)

    def ranges(self) -> Iterator[tuple[npt.NDArray[np.uintp], Ints]]:
        """Yield the pages as rows of neighbours, with bounded memory use.

        Returns
        -------
        iterator of (addresses, pages)
            Address of the first page of each row (uintp; aligned, ascending over all) and the
            number of its pages (int64), at most 65,536 rows at a time. Rows may touch.
        """
        if not self.pages:
            return
        start = np.uintp(self.address - self._lead)
        if self.contiguous:
            yield np.array([start], np.uintp), np.array([self.pages], np.int64)
            return
        for first, last in self._spans.slices():
            some = last >= first
            rows = first[some].astype(np.uintp) * np.uintp(self.page_size)
            yield rows + start, (last - first + 1)[some]

    def held(self, addresses: npt.NDArray[np.uintp], pages: Ints) -> Ints:
        """Count the bytes of the footprint in each row of pages."""
        if not self.block:
            return np.zeros(len(pages), np.int64)
        if self.contiguous and len(pages) == 1 and pages[0] == self.pages:
            return np.array([self.block])
        offset = (addresses - np.uintp(self.address - self._lead)).astype(np.int64) - self._lead
        if self.contiguous:
            end = np.minimum(offset + pages * self.page_size, self.block)
            inside: Ints = end - np.maximum(offset, 0)
            return inside
        return self._blocks.below(offset + pages * self.page_size) - self._blocks.below(offset)

    def position(self, addresses: npt.NDArray[np.uintp]) -> tuple[Ints, Ints]:
        """Return how many bytes of the footprint lie before each page, and how many in it."""
        start = (addresses - np.uintp(self.address - self._lead)).astype(np.int64) - self._lead
        before = self._blocks.below(start)
        return before, self._blocks.below(start + self.page_size) - before

    def below(self, addresses: npt.NDArray[np.uintp]) -> Ints:
        """Count the bytes of the footprint below each address."""
        first = np.uintp(self.address)
        offset = np.minimum(np.maximum(addresses, first) - first, np.uintp(self.span))
        return self._blocks.below(offset.astype(np.int64))

    def offset(self, rank: Ints) -> Ints:
        """Convert ranks of bytes in the footprint to offsets from its first byte, of rank 0."""
        return self._blocks.offset(rank)

    def _run_chunks(self, limit: int) -> Iterator[Chunk]:
        page, total = self.page_size, self.pages
        steps = np.arange(min(limit, total), dtype=np.uintp) * np.uintp(page)
        start = self.address - self._lead
        for low in range(0, total, limit):
            n = min(limit, total - low)
            nbytes = np.full(n, page, np.int64)
            if low == 0:
                nbytes[0] -= self._lead
            if low + n == total:
                nbytes[-1] -= total * page - self._lead - self.block
            yield steps[:n] + np.uintp(start + low * page), nbytes

    def _strided_chunks(self, limit: int) -> Iterator[Chunk]:
        start = np.uintp(self.address - self._lead)
        pages = (self._lead + self.span - 1) // self.page_size + 1
        for index in self._spans.numbers(min(limit, pages)):
            addresses = index.astype(np.uintp) * np.uintp(self.page_size)
            addresses += start
            yield addresses, self._bytes_in(index)

    @property
    def _lead(self) -> int:
        return self.address % self.page_size

    @cached_property
    def _blocks(self) -> Nested:
        return Nested(self.block, self.dims)

    @cached_property
    def _spans(self) -> PageSpans:
        return page_spans(self._lead, self.block, self.dims, self.page_size)

    def _bytes_in(self, index: Ints) -> Ints:
        if index[-1] - index[0] == index.size - 1:
            edges = np.arange(index[0], index[-1] + 2) * self.page_size - self._lead
            return np.diff(self._blocks.below(edges))
        low = index * self.page_size - self._lead
        return self._blocks.below(low + self.page_size) - self._blocks.below(low)
