"""Pieces of one huge page: asked for once, moved once, and never sent to two nodes."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from .. import _core
from .._core import HUGE_PAGE_BYTES
from ..layouts.patterns import NodeArray
from ..pages.footprint import Chunk
from ..system.smaps import KnownHugePages

Indices: TypeAlias = "npt.NDArray[np.int64]"
_T = TypeVar("_T", bound=np.generic)


def whole_huge_pages(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Cut a stream of chunks anew, so that no huge page lies in two of them."""
    rest: Chunk | None = None
    for addresses, nbytes in chunks:
        if rest is not None:
            addresses = np.concatenate((rest[0], addresses))
            nbytes = np.concatenate((rest[1], nbytes))
        huge_page = int(addresses[-1]) // HUGE_PAGE_BYTES * HUGE_PAGE_BYTES
        cut = int(np.searchsorted(addresses, np.uintp(huge_page)))
        rest = addresses[cut:], nbytes[cut:]
        if cut:
            yield addresses[:cut], nbytes[:cut]
    if rest is not None:
        yield rest


class HugePages:
    """Which pages of a process are pieces of huge pages.

    Parameters
    ----------
    pid : int
        Whose; 0 for this process.

    Notes
    -----
    Source: the ioctl PAGEMAP_SCAN, Documentation/admin-guide/mm/pagemap.rst; before Linux 6.7
    /proc/PID/smaps, as it was when first asked for, and only what it makes certain.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._certain = KnownHugePages(pid)

    def now(self, addresses: npt.NDArray[np.uintp]) -> npt.NDArray[np.bool_] | None:
        """Tell it of pages in address order; None where the page tables do not."""
        if not len(addresses):
            return np.zeros(0, bool)
        last = int(addresses[-1]) + mmap.PAGESIZE
        if last >= 1 << 63:
            return np.zeros(len(addresses), bool)
        found = _core.scan_huge(int(addresses[0]), last, self.pid)
        if found is None:
            return None
        if not len(found[0]):
            return np.zeros(len(addresses), bool)
        edges = np.stack(found, axis=1).ravel()
        inside: npt.NDArray[np.bool_] = np.searchsorted(edges, addresses, side="right") % 2 == 1
        return inside

    def forget(self) -> None:
        """Look anew next time, as after a split, where that is not done each time anyway."""
        self._certain = KnownHugePages(self.pid)

    def at_first(
        self, addresses: npt.NDArray[np.uintp], *, several: bool
    ) -> npt.NDArray[np.bool_] | None:
        """Tell it before anything has moved; where it is dear, only for `several` targets."""
        # All to one node, a few pages are asked for one by one in less time.
        if not several and int(addresses[-1]) - int(addresses[0]) < HUGE_PAGE_BYTES - mmap.PAGESIZE:
            return np.zeros(len(addresses), bool)
        inside = self.now(addresses)
        return self._certain.hold(addresses) if inside is None and several else inside


@dataclass(frozen=True)
class Folios:
    """The pages of a slice, the pieces of each huge page taken together.

    Attributes
    ----------
    pages : int
        How many pages the slice has.
    starts, counts : ndarray of int64, or None
        Index of the first page of each, and how many of the slice's pages it has; None where each
        page is by itself, as in a slice without huge pages.
    """

    pages: int
    starts: Indices | None = None
    counts: Indices | None = None

    @classmethod
    def find(cls, addresses: npt.NDArray[np.uintp], wanted: NodeArray, pages: HugePages) -> Folios:
        """Take pages in address order together as the page tables have them."""
        if not len(addresses):
            return cls(0)
        huge = pages.at_first(addresses, several=bool((wanted != wanted[0]).any()))
        if huge is None or not huge.any():
            return cls(len(addresses))
        huge_pages = addresses // np.uintp(HUGE_PAGE_BYTES)
        new = ~huge[1:] | ~huge[:-1] | (huge_pages[1:] != huge_pages[:-1])
        starts = np.concatenate(([0], np.flatnonzero(new) + 1))
        return cls(len(addresses), starts, np.diff(starts, append=len(addresses)))

    def first(self, each: npt.NDArray[_T]) -> npt.NDArray[_T]:
        """Return what is said of the first page of each folio."""
        return each if self.starts is None else each[self.starts]

    def least(self, each: npt.NDArray[_T]) -> npt.NDArray[_T]:
        """Return the least that is said of the pages of each folio."""
        if self.starts is None:
            return each
        least: npt.NDArray[_T] = np.minimum.reduceat(each, self.starts)
        return least

    def without(self, which: Indices) -> Folios:
        """Return them with every page of some of them by itself."""
        assert self.starts is not None
        apart = np.zeros(len(self.starts), bool)
        apart[which] = True
        new = self.spread(apart)
        new[self.starts] = True
        starts = np.flatnonzero(new)
        return Folios(self.pages, starts, np.diff(starts, append=self.pages))

    def spread(self, each: npt.NDArray[_T]) -> npt.NDArray[_T]:
        """Say of each page what is said of its folio."""
        return each if self.counts is None else np.repeat(each, self.counts)

    def differ(self, each: npt.NDArray[_T]) -> Indices:
        """Return the folios of which not all pages are said the same."""
        if self.starts is None:
            return np.empty(0, np.int64)
        return np.flatnonzero(self.least(each) != np.maximum.reduceat(each, self.starts))

    def votes(self, wanted: NodeArray, which: Indices) -> tuple[list[int], Indices]:
        """Count the pages of some folios that are wanted on each node.

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
