"""Pieces of one huge page: asked for once, moved once, and never sent to two nodes."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import _core
from .footprint import Chunk
from .targets import NodeArray

# What one entry of a page middle directory spans, which is what a huge page is the size of: a page
# holds PAGESIZE / 8 entries for one page each. A larger one (1 GiB) is taken for several of these.
FRAME_BYTES = mmap.PAGESIZE * mmap.PAGESIZE // 8


def whole_frames(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Cut a stream of chunks anew, so that no huge page lies in two of them."""
    rest: Chunk | None = None
    for addresses, nbytes in chunks:
        if rest is not None:
            addresses = np.concatenate((rest[0], addresses))
            nbytes = np.concatenate((rest[1], nbytes))
        frame = int(addresses[-1]) // FRAME_BYTES * FRAME_BYTES
        cut = int(np.searchsorted(addresses, np.uintp(frame)))
        rest = addresses[cut:], nbytes[cut:]
        if cut:
            yield addresses[:cut], nbytes[:cut]
    if rest is not None:
        yield rest


def in_huge_pages(addresses: npt.NDArray[np.uintp], pid: int) -> npt.NDArray[np.bool_]:
    """Tell which pages, in address order, are pieces of huge pages; none before Linux 6.7.

    Notes
    -----
    Source: the ioctl PAGEMAP_SCAN, Documentation/admin-guide/mm/pagemap.rst.
    """
    last = int(addresses[-1]) + mmap.PAGESIZE
    found = None
    if last - int(addresses[0]) >= FRAME_BYTES and last < 1 << 63:
        found = _core.scan_huge(int(addresses[0]), last, pid)
    if found is None or not len(found[0]):
        return np.zeros(len(addresses), bool)
    edges = np.stack(found, axis=1).ravel()
    inside: npt.NDArray[np.bool_] = np.searchsorted(edges, addresses, side="right") % 2 == 1
    return inside


@dataclass(frozen=True)
class Folios:
    """The pages of a slice, the pieces of each huge page taken together.

    Attributes
    ----------
    starts, counts : ndarray of int64
        Index of the first page of each, and how many of the slice's pages it has.
    """

    starts: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]

    @classmethod
    def find(cls, addresses: npt.NDArray[np.uintp], pid: int) -> Folios:
        """Take pages in address order together as the page tables have them."""
        huge = in_huge_pages(addresses, pid)
        if not huge.any():
            return cls(np.arange(len(addresses)), np.ones(len(addresses), np.int64))
        frames = addresses // np.uintp(FRAME_BYTES)
        new = ~huge[1:] | ~huge[:-1] | (frames[1:] != frames[:-1])
        starts = np.concatenate(([0], np.flatnonzero(new) + 1))
        return cls(starts, np.diff(starts, append=len(addresses)))

    def settle(self, wanted: NodeArray) -> tuple[NodeArray, int]:
        """Give each folio one target: what most of its pages want, of several the lowest node.

        Returns
        -------
        settled : ndarray of int32
            Target of each folio; negative where no page has one.
        overruled : int
            Pages that wanted another.
        """
        settled = wanted[self.starts]
        if len(self.starts) == len(wanted):
            return settled, 0
        differs = np.add.reduceat(wanted != np.repeat(settled, self.counts), self.starts) > 0
        if differs.any():
            settled = np.where(differs, self._majority(wanted), settled)
        ours = np.repeat(settled, self.counts)
        return settled, int(np.count_nonzero((ours != wanted) & (wanted >= 0)))

    def _majority(self, wanted: NodeArray) -> NodeArray:
        nodes = np.flatnonzero(np.bincount(wanted[wanted >= 0])).astype(np.int32)
        votes = np.stack([np.add.reduceat(wanted == node, self.starts) for node in nodes])
        return np.where(votes.any(axis=0), nodes[votes.argmax(axis=0)], np.int32(-1))
