"""How much of each node's free memory the kernel keeps for itself."""

from __future__ import annotations

import mmap
import re
from collections import Counter

from .._core import read_file
from .refusals import Refusal

_ZONE = re.compile(r"^Node (\d+), zone ", re.MULTILINE)
_COUNTS = re.compile(r"^ *(?:pages )?(free|high) +(\d+)$", re.MULTILINE)
_PROTECTION = re.compile(r"protection: \(([\d, ]+)\)")


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
    # The text before the first zone, then node and text of each zone in turn.
    _, *parts = _ZONE.split(text)
    for node, zone in zip(parts[::2], parts[1::2], strict=True):
        pages = {name: int(count) for name, count in _COUNTS.findall(zone.partition("pagesets")[0])}
        protection = _PROTECTION.search(zone)
        protected = max(map(int, protection[1].split(","))) if protection else 0
        kept = min(pages.get("free", 0), pages.get("high", 0) + protected)
        found[int(node)] += kept * mmap.PAGESIZE
    return found
