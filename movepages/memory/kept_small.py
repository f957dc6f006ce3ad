"""Keep huge pages out of new memory where a layout wants small ones."""

from __future__ import annotations

import mmap

import numpy as np

from .. import _core
from .._core import HUGE_PAGE_BYTES
from ..migration.splitting import forbid_huge_pages
from ..pages.arguments import Addresses
from ..pages.page_set import PageSet

# Each row splits a mapping twice; a process may have 65,530 mappings (vm.max_map_count).
_MOST_ROWS = 1000


def part_from_neighbours(footprint: PageSet, *, keep_small: bool) -> None:
    """Prevent that a touch of neighbouring memory allocates pages at the edges of new memory.

    The kernel joins a new mapping with those beside it. A first touch of these may then allocate a
    huge page that reaches into the new one.
    """
    start, end = footprint.address, footprint.address + footprint.pages * footprint.page_size
    first = min(-(-start // HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES, end)
    last = max(end // HUGE_PAGE_BYTES * HUGE_PAGE_BYTES, first)
    for low, high in ((start, first), (last, end)):
        nbytes = high - low
        if keep_small and nbytes:
            _core.advise(low, nbytes, mmap.MADV_NOHUGEPAGE, nbytes)
        # Such a page may be there already.
        _core.advise(low, nbytes, mmap.MADV_DONTNEED, max(nbytes, 1))


class KeptSmall:
    """Forbids huge pages where a layout wants parts of one huge page on different nodes."""

    def __init__(self, footprint: PageSet) -> None:
        self._start = footprint.address
        self._end = footprint.address + footprint.pages * footprint.page_size
        self._rows = 0

    def look_at(self, starts: Addresses) -> None:
        """Forbid huge pages where runs begin inside one; each run of pages is for one node."""
        if self._rows > _MOST_ROWS:
            return
        # A run that begins within a huge page cuts it.
        cut = starts[(starts % np.uintp(HUGE_PAGE_BYTES) != 0) & (starts != self._start)]
        if not len(cut):
            return
        self._rows += 1 + int(np.count_nonzero(np.diff(cut // np.uintp(HUGE_PAGE_BYTES)) > 1))
        if self._rows > _MOST_ROWS:
            nbytes = self._end - self._start
            _core.advise(self._start, nbytes, mmap.MADV_NOHUGEPAGE, nbytes)
        else:
            forbid_huge_pages(cut, self._start, self._end)
