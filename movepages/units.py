"""Byte counts as people read them."""

from __future__ import annotations


def format_bytes(count: int) -> str:
    """Return `count` bytes in the largest unit that leaves at least 1: '64 MiB', '1.5 GiB'."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        # Not 1024: what would be written as '1024.0 KiB' is 1 MiB.
        if value < 1023.95:
            break
        value, unit = value / 1024, larger
    return f"{value:.1f}".removesuffix(".0") + f" {unit}"
