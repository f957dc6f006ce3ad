"""Sizes on the command line, as people write them."""

from __future__ import annotations

import argparse
import re

_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def size(text: str) -> int:
    """Return the bytes of '64MiB', '1.5G' or '4096', for argparse."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", text.lower())
    nbytes = int(float(match[1]) * 1024 ** _UNITS[match[2]]) if match else 0
    if nbytes < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size; expected one such as 64MiB, 1.5G or 4096"
        )
    return nbytes
