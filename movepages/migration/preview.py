"""Preview a move: yield slices of present pages with the targets chosen for them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .._core import HUGE_PAGE_BYTES
from ..layouts.patterns import NodeArray
from ..layouts.targets import Target
from ..pages.blocks import cut_rows
from ..pages.page_set import PageSet
from ..query.page_query import PageQuery
from ..query.survey_runs import SurveyRuns
from ..query.syscall import MPOL_MF_MOVE
from . import sizes
from .chosen_targets import ChosenTargets
from .folios import HugePages
from .huge_page_targets import OnConflict, TargetChooser
from .slices import PageBatch, slices, without_memory


def preview(
    footprint: PageSet, target: Target, on_conflict: OnConflict
) -> Iterator[tuple[NodeArray, ChosenTargets, int]]:
    """Yield, slice by slice, current nodes, chosen targets and the number of absent pages.

    Nothing moves.
    """
    query = PageQuery(footprint, MPOL_MF_MOVE)
    chooser = TargetChooser(target, HugePages(footprint.pid), on_conflict)
    for pages in _present(footprint, query):
        wanted = target.nodes_for(pages.number, pages.address)
        chosen = chooser.forecast(pages.address, pages.before, wanted)
        yield pages.before, chosen, int(pages.aside.pages.sum())


def runs_now(footprint: PageSet) -> Iterator[SurveyRuns]:
    """Yield all pages as runs with their current nodes, block by block."""
    query = PageQuery(footprint, MPOL_MF_MOVE)
    for addresses, pages in cut_rows(footprint, sizes.MOVE_PAGES, query.reach):
        yield query.at(addresses, pages).found


def _present(
    footprint: PageSet, query: PageQuery, *, only_huge: bool = False
) -> Iterator[PageBatch]:
    """Yield slices of present pages; each slice also carries the absent runs before its end."""
    start = 0
    for addresses, rows in cut_rows(footprint, sizes.MOVE_PAGES, query.reach):
        found = query.huge(addresses, rows) if only_huge else query.at(addresses, rows).found
        yield from slices(
            found, without_memory(found), start, footprint.page_size, sizes.SLICE_PAGES
        )
        start += int(rows.sum())


def refuse_conflicts(footprint: PageSet, target: Target, huge: HugePages) -> None:
    """Query all huge pages before anything moves, and small pages that may even them out."""
    if len(target.distinct) < 2:
        return
    chooser = TargetChooser(target, huge, "raise")
    overruled, query = 0, PageQuery(footprint, MPOL_MF_MOVE)
    for pages in _present(footprint, query, only_huge=not chooser.rotates):
        wanted = target.nodes_for(pages.number, pages.address)
        chosen = chooser.forecast(pages.address, pages.before, wanted)
        overruled += int(np.count_nonzero(chosen.overruled))
    if overruled:
        raise ValueError(
            f"target: {overruled:,} pages cannot be where they are wanted, because the target cuts "
            "through their huge pages, and a huge page is on one node; pass "
            'on_conflict="split" to split these, "majority" to move each to the node that wants '
            f"most of it, or a target that changes only at multiples of {HUGE_PAGE_BYTES:,} bytes"
        )
