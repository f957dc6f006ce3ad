"""How much of each node's free memory the kernel keeps for itself."""

from __future__ import annotations

import mmap
from collections import Counter

from .._core import HUGE_PAGE_BYTES, read_file
from .refusals import Refusal


def zone_reserves(text: str | None = None) -> Counter[int]:
    """Return the bytes on each node that are free and that no process can have.

    Reclaim starts below a zone's "high" watermark, and low zones are protected from allocations
    that higher zones could satisfy. Where free memory becomes fragmented, the kernel raises all
    watermarks by a huge page for a moment, even while a process takes the memory. A process that
    is bound to the node is killed below the "min" watermark.

    Parameters
    ----------
    text : str, optional
        Content of /proc/zoneinfo; by default it is read. If it is missing, nothing is reserved.

    Notes
    -----
    Source: ``__zone_watermark_ok`` and ``boost_watermark`` in the kernel's mm/page_alloc.c,
    ``zoneinfo_show_print`` in mm/vmstat.c.
    """
    if text is None:
        text = ""
        with Refusal():
            text = read_file("/proc/zoneinfo").decode(errors="replace")
    found: Counter[int] = Counter()
    for zone in text.split("Node ")[1:]:
        node, _, rest = zone.partition(",")
        # The counts of each CPU come after these.
        counts = rest.partition("pagesets")[0]
        free, high = _number(counts, "pages free"), _number(counts, " high ")
        protection = counts.partition("protection: (")[2].partition(")")[0]
        protected = max(map(int, protection.split(", "))) if protection else 0
        kept = max(high, _boosted_min(counts))
        found[int(node)] += min(free, kept + protected) * mmap.PAGESIZE
    return found


def _boosted_min(counts: str) -> int:
    """Return what a zone's "min" watermark may become; small zones are never boosted."""
    boost = HUGE_PAGE_BYTES // mmap.PAGESIZE
    if _number(counts, " managed ") < 4 * boost:
        return 0
    return _number(counts, " min ") - _number(counts, " boost ") + boost


def _number(text: str, name: str) -> int:
    words = text.partition(name)[2].split(None, 1)
    return int(words[0]) if words else 0
