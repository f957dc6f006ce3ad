"""Fold the pages of one huge page into one entry, so that it is queried and moved once."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from .. import _core
from .._core import HUGE_PAGE_BYTES
from ..layouts.patterns import NodeArray
from ..system.smaps import KnownHugePages

Indices: TypeAlias = "npt.NDArray[np.int64]"
_T = TypeVar("_T", bound=np.generic)


class HugePages:
    """Finds the pages of a process that belong to huge pages.

    Parameters
    ----------
    pid : int
        The process; 0 for this one.

    Notes
    -----
    Source: the ioctl PAGEMAP_SCAN, Documentation/admin-guide/mm/pagemap.rst. Before Linux 6.7:
    /proc/PID/smaps, read once at the first use; pages count as huge only where it proves that.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._certain = KnownHugePages(pid)

    def now(self, addresses: npt.NDArray[np.uintp]) -> npt.NDArray[np.bool_] | None:
        """Return which pages, in address order, belong to huge pages; None if that is unknown."""
        if not len(addresses):
            return np.zeros(0, bool)
        last = int(addresses[-1]) + mmap.PAGESIZE
        if last >= 1 << 63:
            return np.zeros(len(addresses), bool)
        found = _core.scan_huge(int(addresses[0]), last, self.pid)
        if found is None:
            return None
        # There are far fewer ranges than pages, so the ranges are looked up among the pages.
        edges = np.searchsorted(addresses, np.stack(found, axis=1).ravel())
        counts = np.diff(edges, prepend=0, append=len(addresses))
        inside: npt.NDArray[np.bool_] = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
        return inside

    def forget(self) -> None:
        """Drop what smaps said, such as after a split."""
        self._certain = KnownHugePages(self.pid)

    def at_first(
        self, addresses: npt.NDArray[np.uintp], *, several: bool
    ) -> npt.NDArray[np.bool_] | None:
        """Return what `now` does, before a move; none in a short range with a single target."""
        # Querying a few pages of one target one by one takes less time than a scan.
        if not several and int(addresses[-1]) - int(addresses[0]) < HUGE_PAGE_BYTES - mmap.PAGESIZE:
            return np.zeros(len(addresses), bool)
        inside = self.now(addresses)
        return self._certain.hold(addresses) if inside is None and several else inside


class FutureHugePages(HugePages):
    """The huge pages that memory without pages will have: all that fit between two addresses."""

    def __init__(self, low: int, high: int) -> None:
        super().__init__(0)
        self._low, self._high = -(-low // HUGE_PAGE_BYTES), high // HUGE_PAGE_BYTES

    def now(self, addresses: npt.NDArray[np.uintp]) -> npt.NDArray[np.bool_]:
        """Return which pages will belong to huge pages."""
        huge_pages = addresses // np.uintp(HUGE_PAGE_BYTES)
        found: npt.NDArray[np.bool_] = (huge_pages >= self._low) & (huge_pages < self._high)
        return found


@dataclass(frozen=True)
class Folios:
    """The pages of a slice, grouped by huge page.

    Attributes
    ----------
    pages : int
        Number of pages in the slice.
    starts, counts : ndarray of int64, or None
        Index of the first page of each folio, and its number of pages in the slice. None if each
        page is its own folio, as in a slice without huge pages.
    """

    pages: int
    starts: Indices | None = None
    counts: Indices | None = None

    @classmethod
    def find(cls, addresses: npt.NDArray[np.uintp], wanted: NodeArray, pages: HugePages) -> Folios:
        """Group pages in address order into folios as the page tables show them."""
        if not len(addresses):
            return cls(0)
        huge = pages.at_first(addresses, several=bool((wanted != wanted[0]).any()))
        if huge is None or not huge.any():
            return cls(len(addresses))
        huge_pages = addresses // np.uintp(HUGE_PAGE_BYTES)
        new = ~huge[1:] | ~huge[:-1] | (huge_pages[1:] != huge_pages[:-1])
        starts = np.concatenate(([0], np.flatnonzero(new) + 1))
        return cls(len(addresses), starts, np.diff(starts, append=len(addresses)))

    @property
    def number(self) -> int:
        """Number of folios."""
        return self.pages if self.starts is None else len(self.starts)

    def first(self, each: npt.NDArray[_T]) -> npt.NDArray[_T]:
        """Return the value of the first page of each folio."""
        return each if self.starts is None else each[self.starts]

    def least(self, each: npt.NDArray[_T]) -> npt.NDArray[_T]:
        """Return the smallest value among the pages of each folio."""
        if self.starts is None:
            return each
        least: npt.NDArray[_T] = np.minimum.reduceat(each, self.starts)
        return least

    def without(self, which: Indices) -> Folios:
        """Return folios in which every page of the folios `which` is its own folio."""
        assert self.starts is not None
        apart = np.zeros(len(self.starts), bool)
        apart[which] = True
        new = self.spread(apart)
        new[self.starts] = True
        starts = np.flatnonzero(new)
        return Folios(self.pages, starts, np.diff(starts, append=self.pages))

    def pages_of(self, which: Indices) -> tuple[Indices, Indices]:
        """Return the pages of some folios, and each page's index into `which`."""
        if self.starts is None:
            return which, np.arange(len(which))
        entries = np.full(len(self.starts), -1)
        entries[which] = np.arange(len(which))
        entries = self.spread(entries)
        if len(which) == len(self.starts):
            return np.arange(self.pages), entries
        pages = np.flatnonzero(entries >= 0)
        return pages, entries[pages]

    def spread(self, each: npt.NDArray[_T]) -> npt.NDArray[_T]:
        """Return the value of its folio for each page."""
        return each if self.counts is None else np.repeat(each, self.counts)

    def differ(self, each: npt.NDArray[_T]) -> Indices:
        """Return the folios whose pages differ in value."""
        if self.starts is None:
            return np.empty(0, np.int64)
        return np.flatnonzero(self.least(each) != np.maximum.reduceat(each, self.starts))

    def votes(self, wanted: NodeArray, which: Indices) -> tuple[list[int], Indices]:
        """Count, for each of the folios `which`, the pages that are wanted on each node.

        Returns
        -------
        nodes : list of int
            Ascending.
        votes : ndarray of int64, shape (len(which), len(nodes))
        """
        nodes = np.flatnonzero(np.bincount(wanted[wanted >= 0])).tolist()
        assert self.starts is not None
        each = [np.add.reduceat(wanted == node, self.starts)[which] for node in nodes]
        return nodes, np.stack(each, axis=1).astype(np.int64)
