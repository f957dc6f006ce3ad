"""Allocate the pages of a new array where its layout wants them: populate_by_layout()."""

from __future__ import annotations

import errno
import mmap
import os
from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .. import _core
from .._core import HUGE_PAGE_BYTES
from ..layouts.targets import Target
from ..migration.folios import FutureHugePages
from ..migration.layout_targets import future_targets, wanted_pages
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
# The plan for this many runs takes about 1 MiB; a larger one is computed twice.
_MOST_RUNS = 1 << 16

# Starts and bytes of ranges, by node.
Parts: TypeAlias = "dict[int, tuple[Addresses, npt.NDArray[np.int64]]]"


def populate_by_layout(footprint: PageSet, target: Target, mapping: memoryview, huge: bool) -> bool:
    """Allocate every page of new contiguous memory on the node that `move` would choose.

    No page is on another node at any time. The mapping gets no policy.

    Parameters
    ----------
    footprint : PageSet
        Private memory, none of it present.
    target : Target
    mapping : memoryview
        The whole mapping that holds the footprint.
    huge : bool
        Whether it has MADV_HUGEPAGE. Otherwise huge pages are forbidden where the layout cuts
        through them.

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
    _part_from_neighbours(footprint, keep_small=not huge)
    future = None
    if huge:
        end = _core.buffer_address(mapping) + mapping.nbytes
        future = FutureHugePages(footprint.address, end)
    plan = _Plan(footprint, target, future)
    reserves = zone_reserves()
    refuse_full_nodes(plan.needs, reserves)
    here = os.sched_getaffinity(0)
    try:
        for parts in plan.parts():
            shares = _shares(parts, reserves, here)
            failed = populate_shares(shares, mapping)
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


class _KeptSmall:
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


class _Plan:
    """Which ranges belong on which node, part by part.

    Attributes
    ----------
    needs : Counter
        Bytes on each node.
    """

    def __init__(self, footprint: PageSet, target: Target, huge: FutureHugePages | None) -> None:
        self._footprint, self._target, self._huge = footprint, target, huge
        self.needs: Counter[int] = Counter()
        kept: list[Parts] = []
        runs = 0
        small = _KeptSmall(footprint) if huge is None else None
        for part in self._compute(small):
            for node, (starts, nbytes) in part.items():
                self.needs[node] += int(nbytes.sum())
                runs += len(starts)
            if runs <= _MOST_RUNS:
                kept.append(part)
        self._kept = kept if runs <= _MOST_RUNS else None

    def parts(self) -> Iterator[Parts]:
        """Yield the ranges of each node, for some memory at a time."""
        yield from self._compute() if self._kept is None else self._kept

    def _compute(self, small: _KeptSmall | None = None) -> Iterator[Parts]:
        footprint, target, size = self._footprint, self._target, self._footprint.page_size
        if target.only is not None:
            addresses, pages = next(footprint.ranges())
            yield {target.only: (addresses, pages * size)}
            return
        if self._huge is None:
            wanted = wanted_pages(footprint, target)
        else:
            wanted = future_targets(footprint, target, self._huge)
        for addresses, nodes in wanted:
            first = np.flatnonzero(np.append(True, nodes[1:] != nodes[:-1]))
            starts, on = addresses[first], nodes[first]
            nbytes = np.diff(first, append=len(nodes)) * size
            if small is not None:
                small.look_at(starts)
            yield {node: (starts[on == node], nbytes[on == node]) for node in set(on.tolist())}


def _shares(parts: Parts, reserves: Counter[int], here: set[int]) -> list[Share]:
    """Return who populates which ranges."""
    total = sum(int(nbytes.sum()) for _, nbytes in parts.values())
    threads = worthwhile_threads(total, len(here))
    each = -(-threads // len(parts)) if threads > 1 else 0
    return [
        Share(
            node,
            starts,
            nbytes,
            cpus_of(node, here) if each else np.empty(0, np.int32),
            each,
            reserves[node],
        )
        for node, (starts, nbytes) in parts.items()
    ]
