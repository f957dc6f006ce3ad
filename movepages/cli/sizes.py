"""Sizes on the command line, as people write them."""

from __future__ import annotations

import argparse
import re

import movepages as mp

from ..units import format_bytes

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmgtp])(i?b)?|b)?\s*", re.IGNORECASE | re.ASCII)


class TooLargeError(ValueError):
    """The array asked for is larger than what is free."""


def refuse_too_large(nbytes: int) -> None:
    """Raise `TooLargeError` for more than is free on the nodes this process may use."""
    machine = mp.topology()
    free = sum(machine.nodes[node].memory_free for node in machine.allowed_nodes)
    if nbytes > free:
        raise TooLargeError(
            f"--size: an array of {format_bytes(nbytes)} is more than the {format_bytes(free)} "
            "that are free on the nodes this process may use"
        )


def parse_size(text: str) -> int:
    """Return the bytes of a size as GNU tools write it: '64MiB' and '64M' are binary, '64MB' not.

    Raises
    ------
    ValueError
        Not a size, or less than one byte.

    Examples
    --------
    >>> parse_size("64MiB") == parse_size("64m") == 64 * 1024**2
    True
    >>> parse_size("1.5 GB"), parse_size("4096")
    (1500000000, 4096)
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a size such as 64MiB, 1G or 4096 (bytes), got {text!r}")
    number, prefix, suffix = match.groups()
    factor = 1
    if prefix:
        base = 1000 if (suffix or "").lower() == "b" else 1024
        factor = base ** ("kmgtp".index(prefix.lower()) + 1)
    size = int(number) * factor if number.isdecimal() else int(float(number) * factor)
    if size < 1:
        raise ValueError(f"expected at least 1 byte, got {text!r}")
    return size


def parse_count(text: str) -> int:
    """Return a whole number from 0, for argparse.

    Examples
    --------
    >>> parse_count("30")
    30
    """
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number from 0, got {text!r}")
    return int(text)
