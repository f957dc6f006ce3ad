"""targets(): which node a layout wants each page of an array on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..inputs.memory_of import memory_of
from ..layouts.by_member import MemberTarget, wanted_by
from ..layouts.patterns import NodeArray
from ..layouts.targets import Target
from ..pages.arguments import Addresses
from ..pages.blocks import cut_rows
from ..pages.like import MemoryLike
from ..pages.page_set import PageSet
from ..query.survey_runs import SurveyRuns
from ..query.syscall import move_pages
from ..results.placement import Placement
from . import sizes
from .folios import FutureHugePages, HugePages
from .huge_page_targets import TargetChooser
from .slices import each_page


def targets(a: MemoryLike, target: MemberTarget) -> npt.NDArray[np.int32]:
    """Return the node that a layout wants each page of an array on.

    Parameters
    ----------
    a : object with memory
        As for `where`.
    target : Layout, or what else `move` takes as a target
        For instance a layout that `interleave` returned. Its nodes do not have to exist.

    Returns
    -------
    ndarray of int32, shape (where(a).pages,)
        In address order; -1 for pages without a target. A layout that keeps huge pages whole gives
        all pages of a huge page one node; the call finds out which pages are huge now.

    Raises
    ------
    TypeError, ValueError
        `a` exposes no memory, or lacks what the layout needs, such as an axis; `target` is not a
        target.

    Warns
    -----
    DeprecationWarning
        The arguments are in the order of earlier versions, with the layout first.

    Examples
    --------
    >>> targets(np.zeros(4 * 4096, np.uint8), blocks([0, 1])).tolist()[0]
    0
    """
    if hasattr(a, "over") or isinstance(a, (int, Placement)):
        message = "targets(layout, a) is deprecated: pass the memory first, as to move() and plan()"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        a, target = target, a  # type: ignore[assignment]
    array, footprint = memory_of(a)
    pattern = wanted_by(target, array, footprint)
    chooser = TargetChooser(pattern, HugePages(footprint.pid), "majority")
    parts = [np.empty(0, np.int32)]
    for addresses, wanted in wanted_pages(footprint, pattern):
        if chooser.adapts:
            # Presence matters only for layouts that even out huge pages with small ones.
            present = move_pages(addresses, pid=footprint.pid) if chooser.rotates else wanted
            wanted = chooser.forecast(addresses, present, wanted).wanted
        parts.append(wanted)
    return np.concatenate(parts)


def wanted_pages(footprint: PageSet, target: Target) -> Iterator[tuple[Addresses, NodeArray]]:
    """Yield pages and the node wanted for each, in the slices that a move of all pages has."""
    start = 0
    for addresses, rows in cut_rows(footprint, sizes.MOVE_PAGES):
        nothing = np.zeros(len(rows), np.int32), np.zeros(len(rows), np.uint8)
        runs = SurveyRuns(addresses, rows, *nothing)
        for pages, _, number in each_page(runs, start, footprint.page_size, sizes.SLICE_PAGES):
            yield pages, target.nodes_for(number, pages)
        start += int(rows.sum())


def future_targets(
    footprint: PageSet, target: Target, huge: FutureHugePages
) -> Iterator[tuple[Addresses, NodeArray]]:
    """Yield pages of memory that has none yet, and the node that `move` would choose for each."""
    chooser = TargetChooser(target, huge, "majority")
    for addresses, wanted in wanted_pages(footprint, target):
        yield addresses, chooser.forecast(addresses, np.zeros_like(wanted), wanted).each
