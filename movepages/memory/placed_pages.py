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
from ..layouts.patterns import NOWHERE
from ..layouts.targets import Target
from ..migration.folios import FutureHugePages
from ..migration.layout_targets import future_targets, wanted_pages
from ..pages.arguments import Addresses
from ..pages.page_set import PageSet
from ..system.node_cpus import cpus_of
from ..system.threads import worthwhile_threads
from ..system.zone_reserves import zone_reserves
from .kept_small import KeptSmall, part_from_neighbours
from .kernel_turns import follows_turns, nodes_in_turn, took_turns
from .node_room import became_full, refuse_full_nodes
from .policy_modes import refuse_unusable
from .populate import Share, populate_error, populate_shares

# The plan for this many runs takes about 1 MiB; a larger one is computed twice.
_MOST_RUNS = 1 << 16

# Starts and bytes of ranges. A key has one node, or several that take turns as the kernel
# interleaves, or none.
Parts: TypeAlias = "dict[tuple[int, ...], tuple[Addresses, npt.NDArray[np.int64]]]"


def populate_by_layout(footprint: PageSet, target: Target, *, huge_until: int | None) -> bool:
    """Allocate every page of new contiguous memory on the node that `move` would choose.

    No page is on another node at any time, unless others fill a node while single pages take turns:
    then these are allocated again. The mapping gets no policy.

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
        False, with nothing allocated, if this process cannot set policies or locks new memory.

    Raises
    ------
    MovePagesError
        A node cannot be used, or has too little memory. Nothing stays allocated, whatever is
        raised.
    """
    refuse_unusable(target.distinct)
    part_from_neighbours(footprint, keep_small=huge_until is None)
    if len(_core.resident(footprint.address, footprint.page_size)[1]):
        # After mlockall(2), new mappings have all of their pages at once.
        return False
    future = None if huge_until is None else FutureHugePages(footprint.address, huge_until)
    plan = _Plan(footprint, target, future)
    reserves = zone_reserves()
    refuse_full_nodes(plan.needs, reserves)
    here = os.sched_getaffinity(0)
    try:
        for parts in plan.parts():
            failed = _populate(parts, reserves, here)
            if failed is None:
                continue
            code, node, full = failed
            if code in (errno.EPERM, errno.ENOSYS):
                return False
            raise became_full(node, reserves[node]) if full else populate_error(code, node)
    except BaseException:
        # The traceback keeps the array alive.
        free_pages(footprint)
        raise
    return True


def free_pages(footprint: PageSet) -> None:
    """Free the pages of contiguous private memory that nobody else uses."""
    nbytes = footprint.pages * footprint.page_size
    _core.advise(footprint.address, nbytes, mmap.MADV_DONTNEED, max(nbytes, 1))


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
        small = KeptSmall(footprint) if huge is None else None
        for part in self._compute(small):
            for nodes, (starts, nbytes) in part.items():
                runs += len(starts)
                for node in nodes:
                    # Turns differ by one page at most.
                    self.needs[node] += -(-int(nbytes.sum()) // len(nodes))
            if runs <= _MOST_RUNS:
                kept.append(part)
        self._kept = kept if runs <= _MOST_RUNS else None

    def parts(self) -> Iterator[Parts]:
        """Yield the ranges of each node, for some memory at a time."""
        yield from self._compute() if self._kept is None else self._kept

    def _compute(self, small: KeptSmall | None = None) -> Iterator[Parts]:
        footprint, target, size = self._footprint, self._target, self._footprint.page_size
        if target.only is not None:
            addresses, pages = next(footprint.ranges())
            yield {(target.only,): (addresses, pages * size)}
            return
        if self._huge is None:
            wanted = wanted_pages(footprint, target)
        else:
            wanted = future_targets(footprint, target, self._huge)
        for addresses, nodes in wanted:
            first = np.flatnonzero(np.append(True, nodes[1:] != nodes[:-1]))
            # What is no node is refused later, and must not make the count large.
            starts, on = addresses[first], np.clip(nodes[first], NOWHERE, _core.MAX_NODES)
            nbytes = np.diff(first, append=len(nodes)) * size
            if small is not None:
                small.look_at(starts)
            nodes_here = (np.flatnonzero(np.bincount(on - NOWHERE)) + NOWHERE).tolist()
            if len(on) == len(nodes) and follows_turns(addresses, on, nodes_here):
                yield {tuple(nodes_here): (starts[:1], nbytes.sum(keepdims=True))}
                continue
            each = ((node, on == node) for node in nodes_here)
            yield {
                () if node == NOWHERE else (node,): (starts[its], nbytes[its]) for node, its in each
            }


def _populate(parts: Parts, reserves: Counter[int], here: set[int]) -> tuple[int, int, bool] | None:
    """Populate one part of a plan; return what `populate_shares` does."""
    failed = populate_shares(_shares(parts, reserves, here))
    nodes, (starts, nbytes) = next(iter(parts.items()))
    if len(nodes) < 2:
        return failed
    start, size = int(starts[0]), int(nbytes[0])
    pages = np.arange(start, start + size, mmap.PAGESIZE, dtype=np.uintp)
    if failed is None and took_turns(pages, nodes):
        return None
    # A thread that is bound to one node also gets memory that the kernel has to reclaim first.
    _core.advise(start, size, mmap.MADV_DONTNEED, size)
    turns = range(len(nodes))
    on = nodes_in_turn(pages[: len(nodes)], nodes).tolist()
    each = {(on[turn],): pages[turn :: len(nodes)].copy() for turn in turns}
    parts = {node: (its, np.full(len(its), mmap.PAGESIZE)) for node, its in each.items()}
    return populate_shares(_shares(parts, reserves, here))


def _shares(parts: Parts, reserves: Counter[int], here: set[int]) -> list[Share]:
    """Return who populates which ranges."""
    total = sum(int(nbytes.sum()) for _, nbytes in parts.values())
    threads = worthwhile_threads(total, len(here))
    each = -(-threads // len(parts)) if threads > 1 else 0
    return [
        Share(
            np.array(nodes, np.int32),
            np.array([reserves[node] for node in nodes], np.int64),
            starts,
            nbytes,
            cpus_of(nodes[0], here) if each and len(nodes) == 1 else np.empty(0, np.int32),
            each,
        )
        for nodes, (starts, nbytes) in parts.items()
    ]
