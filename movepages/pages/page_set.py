"""PageSet: what queries and moves need to know of the memory they work on, and its rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from .strides import Ints

Rows: TypeAlias = "tuple[npt.NDArray[np.uintp], Ints]"


class PageSet(Protocol):
    """Some bytes of one process and the pages that hold them: a `Footprint` or `Pieces`."""

    @property
    def address(self) -> int:
        """Address of the lowest byte."""

    @property
    def page_size(self) -> int:
        """Page size in bytes."""

    @property
    def pid(self) -> int:
        """The process that owns the memory; 0 for the caller."""

    @property
    def contiguous(self) -> bool:
        """Whether the bytes are one run without gaps."""

    @property
    def span(self) -> int:
        """Bytes from the lowest to the highest one, gaps included."""

    @property
    def nbytes(self) -> int:
        """Distinct bytes."""

    @property
    def pages(self) -> int:
        """Number of distinct pages that hold at least one of the bytes."""

    @property
    def shared_edges(self) -> int:
        """Number of partly covered pages."""

    def chunks(self, max_pages: int) -> Iterator[Rows]:
        """Yield the pages in chunks: addresses, and bytes in each."""

    def ranges(self) -> Iterator[Rows]:
        """Yield the pages as rows of neighbours: address and number of pages of each."""

    def held(self, addresses: npt.NDArray[np.uintp], pages: Ints) -> Ints:
        """Count the bytes in each row of pages."""

    def position(self, addresses: npt.NDArray[np.uintp]) -> tuple[Ints, Ints]:
        """Return how many bytes lie before each page, and how many in it."""


def rows_of(pages: PageSet) -> Rows:
    """Return the pages as rows of neighbours, all at once."""
    parts = [(np.empty(0, np.uintp), np.empty(0, np.int64)), *pages.ranges()]
    addresses, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    return addresses, counts


def numbers_in(
    rows: Rows, addresses: npt.NDArray[np.uintp], page_size: int
) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Return the number of each page among the pages of some rows, and which are in a row.

    No address is below the first row. The number of a page that is in no row means nothing.
    """
    starts, pages = rows
    row = np.searchsorted(starts, addresses, "right") - 1
    within = ((addresses - starts[row]) // np.uintp(page_size)).astype(np.int64)
    return (np.cumsum(pages) - pages)[row] + within, within < pages[row]
