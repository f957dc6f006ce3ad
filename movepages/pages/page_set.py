"""PageSet: what queries and moves need to know of the memory they work on."""

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
