"""targets(): which node a layout wants each page of an array on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..inputs.memory_of import memory_of
from ..layouts.by_member import MemberTarget, wanted_by
from ..layouts.patterns import NodeArray
from ..layouts.targets import Target
from ..pages.like import MemoryLike
from ..pages.page_set import PageSet
from ..query.syscall import move_pages
from . import sizes
from .folios import HugePages, whole_huge_pages
from .huge_page_targets import TargetChooser


def targets(layout: MemberTarget, a: MemoryLike) -> npt.NDArray[np.int32]:
    """Return the node that a layout wants each page of an array on.

    Parameters
    ----------
    layout : Layout, or what else `move` takes as a target
        Such as `interleave` returns. Whether its nodes exist is not checked.
    a : object with memory
        As for `where`.

    Returns
    -------
    ndarray of int32, shape (where(a).pages,)
        In address order; -1 for pages without a target. A layout that keeps huge pages whole wants
        all pages of a huge page on one node; which pages are huge is found at the time of the call.

    Raises
    ------
    TypeError, ValueError
        `a` exposes no memory, or lacks what the layout needs, such as an axis; `layout` is not a
        target.

    Examples
    --------
    >>> targets(blocks([0, 1]), np.zeros(4 * 4096, np.uint8)).tolist()[0]
    0
    """
    array, footprint = memory_of(a)
    pattern = wanted_by(layout, array, footprint)
    return np.concatenate([np.empty(0, np.int32), *_wanted_nodes(footprint, pattern)])


def _wanted_nodes(footprint: PageSet, target: Target) -> Iterator[NodeArray]:
    """Yield the node wanted for each page; find huge pages for layouts that keep them whole."""
    chooser, start = TargetChooser(target, HugePages(footprint.pid), "majority"), 0
    for addresses, _ in whole_huge_pages(footprint.chunks(sizes.SLICE_PAGES)):
        wanted = target.nodes_for(np.arange(start, start + len(addresses)), addresses)
        start += len(addresses)
        if chooser.adapts:
            # Presence matters only for layouts that even out huge pages with small ones.
            present = move_pages(addresses, pid=footprint.pid) if chooser.shares else wanted
            wanted = chooser.forecast(addresses, present, wanted).wanted
        yield wanted
