"""Allocate the pages of a new array where its layout wants them: populate_by_layout()."""

from __future__ import annotations

import errno
import mmap
import os
from collections import Counter
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from .. import _core
from .._core import HUGE_PAGE_BYTES
from ..layouts.patterns import NOWHERE, NodeArray
from ..layouts.targets import Target
from ..migration.folios import FutureHugePages
from ..migration.layout_targets import future_targets
from ..migration.splitting import forbid_huge_pages
from ..pages.arguments import Addresses
from ..pages.page_set import PageSet
from ..system.node_cpus import cpus_of
from ..system.zone_reserves import zone_reserves
from .node_room import became_full, refuse_full_nodes
from .policy_modes import refuse_unusable
from .populate import Share, populate_error, populate_shares, worthwhile_threads

# Each row splits a mapping twice; a process may have 65,530 mappings (vm.max_map_count).
_MOST_ROWS = 1000


def populate_by_layout(footprint: PageSet, target: Target, *, huge_until: int | None) -> bool:
    """Allocate every page of new contiguous memory on the node that `move` would choose.

    No page is on another node at any time. The mapping gets no policy.

    Parameters
    ----------
    footprint : PageSet
        Private memory, none of it present.
    target : Target
    huge_until : int or None
        The end of a mapping with MADV_HUGEPAGE. None: huge pages are forbidden where the layout
        cuts through them.

    Returns
    -------
    bool
        False, with nothing allocated, if this process cannot set policies.

    Raises
    ------
    MovePagesError
        A node cannot be used, or has too little memory. Nothing stays allocated, whatever is
        raised.
    """
    refuse_unusable(target.distinct)
    _part_from_neighbours(footprint, keep_small=huge_until is None)
    huge = FutureHugePages(footprint.address, huge_until or 0)
    needs = _bytes_per_node(footprint, target, huge, keep_small=huge_until is None)
    reserves = zone_reserves()
    refuse_full_nodes(needs, reserves)
    try:
        for shares in _shares(footprint, target, huge, reserves):
            failed = populate_shares(shares)
            if failed is None:
                continue
            code, share, full = failed
            node = shares[share].node
            if code in (errno.EPERM, errno.ENOSYS) and node >= 0:
                return False
            reserve = reserves[node]
            raise became_full(node, reserve) if full else populate_error(code, node)
    except BaseException:
        # The traceback keeps the array alive.
        free_pages(footprint)
        raise
    return True


def free_pages(footprint: PageSet) -> None:
    """Free the pages of contiguous private memory that nobody else uses."""
    nbytes = footprint.pages * footprint.page_size
    _core.advise(footprint.address, nbytes, mmap.MADV_DONTNEED, max(nbytes, 1))


def _part_from_neighbours(footprint: PageSet, *, keep_small: bool) -> None:
    """Keep pages out of the memory that come when other memory is touched.

    The kernel joins a new mapping with those beside it. A first touch of these may then allocate a
    huge page that covers an edge of the new one, too.
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


def _bytes_per_node(
    footprint: PageSet, target: Target, huge: FutureHugePages, *, keep_small: bool
) -> Counter[int]:
    """Return the bytes wanted on each node; forbid huge pages that the layout would cut."""
    size = footprint.page_size
    if target.only is not None:
        return Counter({target.only: footprint.pages * size})
    small = _KeptSmall(footprint) if keep_small else None
    found: Counter[int] = Counter()
    for addresses, nodes in future_targets(footprint, target, huge):
        if small is not None:
            small.look_at(addresses, nodes)
        for node, pages in _pages_per_node(nodes).items():
            found[node] += pages * size
    return found


class _KeptSmall:
    """Forbids huge pages where a layout wants parts of one huge page on different nodes."""

    def __init__(self, footprint: PageSet) -> None:
        self._start = footprint.address
        self._end = footprint.address + footprint.pages * footprint.page_size
        self._rows = 0

    def look_at(self, addresses: Addresses, nodes: NodeArray) -> None:
        """Take the next pages, with no huge page in two calls."""
        if self._rows > _MOST_ROWS:
            return
        huge_pages = addresses // np.uintp(HUGE_PAGE_BYTES)
        differs = (huge_pages[1:] == huge_pages[:-1]) & (nodes[1:] != nodes[:-1])
        if not differs.any():
            return
        self._rows += 1 + int(np.count_nonzero(np.diff(huge_pages[1:][differs]) > 1))
        if self._rows > _MOST_ROWS:
            nbytes = self._end - self._start
            _core.advise(self._start, nbytes, mmap.MADV_NOHUGEPAGE, nbytes)
        else:
            forbid_huge_pages(addresses[1:][differs], self._start, self._end)


def _shares(
    footprint: PageSet, target: Target, huge: FutureHugePages, reserves: Counter[int]
) -> Iterator[list[Share]]:
    """Yield what to populate at a time: the ranges of each node, and who does it."""
    size, here = footprint.page_size, os.sched_getaffinity(0)
    if target.only is not None:
        parts = iter([(footprint.pages, {target.only: _whole(footprint)})])
    else:
        parts = (
            (len(addresses), _ranges(addresses, nodes, size))
            for addresses, nodes in future_targets(footprint, target, huge)
        )
    near: dict[int, npt.NDArray[np.int32]] = {}
    for pages, ranges in parts:
        threads = worthwhile_threads(pages * size, len(here))
        each = -(-threads // len(ranges)) if threads > 1 else 0
        for node in ranges:
            if node not in near:
                near[node] = cpus_of(node, here) if each else np.empty(0, np.int32)
        yield [
            Share(node, starts, nbytes, near[node], each, reserves[node])
            for node, (starts, nbytes) in ranges.items()
        ]


def _whole(footprint: PageSet) -> tuple[Addresses, npt.NDArray[np.int64]]:
    addresses, pages = next(footprint.ranges())
    return addresses, pages * footprint.page_size


def _ranges(
    addresses: Addresses, nodes: NodeArray, size: int
) -> dict[int, tuple[Addresses, npt.NDArray[np.int64]]]:
    """Join neighbouring pages of one node; return starts and bytes for each node."""
    first = np.flatnonzero(np.append(True, nodes[1:] != nodes[:-1]))
    nbytes = np.diff(first, append=len(nodes)) * size
    starts, on = addresses[first], nodes[first]
    return {node: (starts[on == node], nbytes[on == node]) for node in _pages_per_node(on)}


def _pages_per_node(nodes: NodeArray) -> dict[int, int]:
    counts = np.bincount(nodes - NOWHERE)
    return {node + NOWHERE: int(counts[node]) for node in np.flatnonzero(counts).tolist()}
