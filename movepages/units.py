"""Byte counts as people read them."""

from __future__ import annotations

import re

_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_RATE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?)(?:i?B)?/s", re.IGNORECASE)


def format_bytes(count: int) -> str:
    """Return `count` bytes in the largest unit that leaves at least 1: '64 MiB', '1.5 GiB'."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        # Not 1024: what would be written as '1024.0 KiB' is 1 MiB.
        if value < 1023.95:
            break
        value, unit = value / 1024, larger
    return f"{value:.1f}".removesuffix(".0") + f" {unit}"


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
