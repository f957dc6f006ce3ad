"""Counts of bytes and pages as people read them."""

from __future__ import annotations

import math
import re

_NAMES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_RATE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?)(?:i?B)?/s", re.IGNORECASE)


def format_bytes(count: int) -> str:
    """Return `count` bytes in the largest unit that leaves at least 1: '64 MiB', '1.5 GiB'."""
    value, unit = float(count), "B"
    for larger in _NAMES[1:]:
        # Not 1024: what would be written as '1024.0 KiB' is 1 MiB.
        if value < 1023.95:
            break
        value, unit = value / 1024, larger
    return f"{value:.1f}".removesuffix(".0") + f" {unit}"


def format_pages(count: int) -> str:
    """Return a count of pages in words: '1 page', '1,024 pages'."""
    return f"{count:,} page{'' if count == 1 else 's'}"


def byte_marks(span: float, most: int = 8) -> tuple[float, str, int]:
    """Return where to mark an axis of `span` bytes: how far apart, a unit's name and its bytes.

    Examples
    --------
    >>> byte_marks(1 << 30), byte_marks(5 << 40, 4)
    ((134217728.0, 'MiB', 1048576), (2199023255552.0, 'TiB', 1099511627776))
    """
    # Not log2, which rounds: a step too small by nothing that shows would make one mark too many.
    share, power = math.frexp(max(span, most) / most)
    step = 2.0 ** (power if share > 0.5 else power - 1)
    # A quarter of a unit is still read with ease.
    unit = min(int(math.log2(step * 4)) // 10, len(_NAMES) - 1)
    return step, _NAMES[unit], 1 << 10 * unit


def parse_rate(given: float | str) -> float:
    """Read a rate such as "2GiB/s", "500 MiB/s" or a number of bytes a second.

    Raises
    ------
    TypeError, ValueError
        None of these, or not above 0.
    """
    if isinstance(given, str):
        found = _RATE.fullmatch(given.strip())
        rate = float(found[1]) * 2.0 ** _UNITS[found[2].upper()] if found else 0.0
    else:
        rate = float(given)
    if not 0 < rate < float("inf"):
        raise ValueError(f"limit: expected a rate like '2GiB/s' or bytes a second, got {given!r}")
    return rate
