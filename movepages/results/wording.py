"""Descriptions of the page counts of a move, in words."""

from __future__ import annotations

from typing import Protocol

from ..display.views import ResultView
from ..units import format_pages
from .absence import Absences, describe_reasons

# Why pages are overruled (their huge page was sent to another node), and what to do about it.
OVERRULED = (
    'the target cuts through huge pages, which move as a whole; on_conflict="split" splits them '
    "first, so that each small page can go to its own target"
)
# Why pages are torn (parts of a page are wanted on several nodes), and what to do about it: by a
# layout, and because members share the page.
TORN = (
    "the layout cuts through single pages, and each page is on one node only; divide another axis, "
    "or first copy the array to the other memory order, for example with np.asfortranarray()"
)
TORN_EDGES = (
    "neighbouring arrays share the pages at their edges, and each page is on one node only, where "
    "most of it is wanted; give such arrays one target, or create them with movepages.empty(), "
    "zeros() or full(), which share no page"
)


class Counts(ResultView, Protocol):
    """The fields of a `MoveResult` that these functions read."""

    @property
    def failed(self) -> int: ...
    @property
    def overruled(self) -> int: ...
    @property
    def torn(self) -> int: ...
    @property
    def _why_torn(self) -> str: ...
    @property
    def split(self) -> int: ...
    @property
    def absences(self) -> Absences: ...


def describe_missing(counts: Counts) -> str:
    """Describe how many pages are not where they were wanted, and why."""
    reasons = [
        f"{count:,} {status.name} ({status.meaning}; {status.remedy})"
        for status, count in sorted(counts.failures.items(), key=lambda item: -item[1])
    ]
    if cut_off := counts.not_attempted - counts.untargeted:
        reasons.append(f"{cut_off:,} not attempted")
    if counts.untargeted:
        reasons.append(
            f"{counts.untargeted:,} without a target, because they had no memory in the placement "
            "used as the target; they stayed where they were"
        )
    if counts.overruled:
        reasons.append(f"{counts.overruled:,} overruled: {OVERRULED}")
    if counts.torn:
        reasons.append(f"{counts.torn:,} torn: {counts._why_torn}")
    if why := describe_reasons(counts.absences):
        reasons.append(f"pages without memory: {why}")
    missing = counts.failed + counts.not_attempted + counts.overruled + counts.torn
    return f"{missing:,} of {counts.pages:,} pages are not where they were wanted: " + "; ".join(
        reasons
    )


def describe_counts(counts: Counts) -> str:
    """Describe how many pages moved or were in place, and all other counts that are not 0."""
    parts = [
        f"{counts.moved:,} on their target"
        if counts.already_there is None
        else f"{counts.moved:,} moved, {counts.already_there:,} already there"
    ]
    parts += [f"{count:,} failed with {status.name}" for status, count in counts.failures.items()]
    if cut_off := counts.not_attempted - counts.untargeted:
        parts.append(f"{cut_off:,} not attempted")
    if counts.untargeted:
        parts.append(f"{counts.untargeted:,} without a target")
    if counts.overruled:
        parts.append(f"{counts.overruled:,} overruled by the rest of their huge page")
    if counts.torn:
        parts.append(f"{counts.torn:,} torn between nodes")
    if counts.split:
        parts.append(f"{counts.split:,} huge pages split")
    return f"{format_pages(counts.pages)}: " + ", ".join(parts)
