"""Describe memory in one line: its size, and the share of it on each node."""

from __future__ import annotations

from collections.abc import Mapping

from ..units import format_bytes
from .views import PlacementView, off_node

# Nobody reads more of them on one line.
_MOST_NODES = 8


def brief_placement(placement: PlacementView) -> str:
    """Return the size of memory, and the share of it on each node.

    Returns
    -------
    str
        Such as "8 MiB: node 0 75 %, node 1 20 %, absent 5 %".
    """
    shares = _by_node(placement.bytes_per_node, placement.nbytes)
    for name, nbytes in off_node(placement):
        shares.append(f"{name} {format_share(nbytes, placement.nbytes)}")
    return ": ".join(filter(None, (format_bytes(placement.nbytes), ", ".join(shares))))


def _by_node(bytes_per_node: Mapping[int, int], whole: int) -> list[str]:
    largest = sorted(bytes_per_node, key=lambda node: (-bytes_per_node[node], node))[:_MOST_NODES]
    shares = [f"node {n} {format_share(bytes_per_node[n], whole)}" for n in sorted(largest)]
    if rest := len(bytes_per_node) - len(largest):
        others = sum(bytes_per_node.values()) - sum(bytes_per_node[node] for node in largest)
        shares.append(f"{rest:,} other nodes {format_share(others, whole)}")
    return shares


def format_share(part: int, whole: int) -> str:
    """Format a share in percent, as "100 %" only for all, and as "0 %" only for nothing.

    Examples
    --------
    >>> format_share(3, 4), format_share(9_999, 10_000), format_share(1, 10_000)
    ('75 %', '>99 %', '<1 %')
    """
    # Whole numbers: a fraction of very many bytes would round.
    percent = (200 * part + whole) // (2 * whole)
    if percent == 100 and part < whole:
        return ">99 %"
    return "<1 %" if part and not percent else f"{percent} %"
