"""How much of each node's free memory the kernel keeps for itself."""

from __future__ import annotations

import mmap
from collections import Counter

from .._core import read_file
from .refusals import Refusal


def zone_reserves(text: str | None = None) -> Counter[int]:
    """Return the bytes on each node that are free and that no process can have.

    Reclaim starts below a zone's "high" watermark, and low zones are protected from allocations
    that higher zones could satisfy.

    Parameters
    ----------
    text : str, optional
        Content of /proc/zoneinfo; by default it is read. If it is missing, nothing is reserved.

    Notes
    -----
    Source: ``__zone_watermark_ok`` in the kernel's mm/page_alloc.c, ``zoneinfo_show_print`` in
    mm/vmstat.c.
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
        found[int(node)] += min(free, high + protected) * mmap.PAGESIZE
    return found


def _number(text: str, name: str) -> int:
    words = text.partition(name)[2].split(None, 1)
    return int(words[0]) if words else 0
