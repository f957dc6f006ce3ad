"""Sizes and counts on the command line."""

from __future__ import annotations

import argparse

import movepages as mp

from ..units import format_bytes, parse_size


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


def as_size(text: str) -> int:
    """Return the bytes of a size as `parse_size` reads it, for argparse.

    Examples
    --------
    >>> as_size("64MiB"), as_size("64MB")
    (67108864, 64000000)
    """
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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
