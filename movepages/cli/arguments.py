"""Parse sizes and counts given on the command line."""

from __future__ import annotations

import argparse

import movepages as mp

from ..units import format_bytes, parse_size
from .failures import TooLargeError


def refuse_too_large(nbytes: int) -> None:
    """Raise `TooLargeError` if `nbytes` exceeds the free memory this process may use."""
    machine = mp.topology()
    free = sum(machine.nodes[node].memory_free for node in machine.allowed_nodes)
    if nbytes > free:
        raise TooLargeError(
            f"--size: an array of {format_bytes(nbytes)} is more than the {format_bytes(free)} "
            "free on the nodes this process may use"
        )


def add_size_option(parser: argparse._ActionsContainer, what: str) -> None:
    """Add the option ``--size``, whose help begins with `what`."""
    examples = "64MiB, 64M (the same), 64MB, 4096 (default: %(default)s)"
    parser.add_argument("--size", type=as_size, default="64MiB", help=f"{what}: {examples}")


def as_size(text: str) -> int:
    """Convert a size to bytes with `parse_size`, as an argparse type.

    Examples
    --------
    >>> as_size("64MiB"), as_size("64MB")
    (67108864, 64000000)
    """
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def as_threads(text: str) -> int:
    """Convert a number of threads, as an argparse type.

    Examples
    --------
    >>> as_threads("4")
    4
    """
    count = parse_count(text)
    if count == 0:
        raise argparse.ArgumentTypeError("expected a whole number from 1, got '0'")
    return count


def parse_count(text: str) -> int:
    """Convert a whole number, 0 or more, as an argparse type.

    Examples
    --------
    >>> parse_count("30")
    30
    """
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, 0 or more, got {text!r}")
    return int(text)
