"""Weights of nodes on the command line, held against those of the kernel."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..system.node_performance import WEIGHTS, read_weights
from .id_lists import memory_nodes

_SYSFS = Path("/sys")


def parse_weights(text: str) -> dict[int, int]:
    """Convert nodes with or without weights, as an argparse type.

    Examples
    --------
    >>> parse_weights("0:3")
    {0: 3}
    """
    if ":" not in text:
        # 0: whatever weight the kernel gives the node.
        return dict.fromkeys(memory_nodes(text), 0)
    found: dict[int, int] = {}
    for part in text.split(","):
        node, _, weight = part.partition(":")
        if not (weight.isdecimal() and 1 <= int(weight) <= 255):
            raise argparse.ArgumentTypeError(f"expected NODE:WEIGHT, 1 to 255, got {part!r}")
        found.update(dict.fromkeys(memory_nodes(node), int(weight)))
    return found


def differing_weights(wanted: dict[int, int]) -> str:
    """Return how weights differ from those of the kernel, which apply to every process."""
    told, _ = read_weights(_SYSFS)
    kept = {node: told[node] for node in wanted if node in told}
    if kept.keys() != wanted.keys() or not all(wanted.values()):
        return ""
    first = next(iter(wanted))
    if all(wanted[node] * kept[first] == wanted[first] * kept[node] for node in wanted):
        return ""
    now = ", ".join(f"node {node}: {weight}" for node, weight in kept.items())
    return (
        f"the kernel has one weight for each node, for all processes, and they differ ({now}); to "
        f"change them, write to {_SYSFS / WEIGHTS}/nodeN as root"
    )
