"""Layouts that give pages to nodes in turn: interleave() and weighted()."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .._core import HUGE_PAGE_BYTES
from ..pages.arguments import Count, listed_nodes
from ..pages.buffers import footprint_of
from ..pages.footprint import Footprint
from ..system.topology_reader import topology
from .patterns import HUGE_PAGES_A_SHARE, Cycle
from .targets import Layout

# Far more than any ratio of bandwidths needs; a layout holds each of them.
_MOST_TURNS = 1 << 16


@dataclass(frozen=True)
class Interleave:
    """What `interleave` and `weighted` return: nodes in turn."""

    nodes: tuple[int, ...]
    block: int | None

    def over(self, array: object, footprint: Footprint) -> Cycle:
        """Return the pattern that it makes of one array."""
        block = self.block or _block_for(footprint, len(set(self.nodes)))
        return Cycle(self.nodes, block, footprint, adapts=self.block is None)

    def after(self, part: object) -> Interleave:
        """Return it as it goes on behind a part of memory that lies in several."""
        turn = self.over(part, footprint_of(part)).turns % len(self.nodes)
        return Interleave(self.nodes[turn:] + self.nodes[:turn], self.block)


def interleave(nodes: Sequence[Count], *, block: int | None = None) -> Layout:
    """Spread pages over nodes in turn: ``0 1 2 0 1 2 ...``, for data that all CPUs read.

    Parameters
    ----------
    nodes : sequence of int
        Nodes in the order of their turns; one that occurs twice has two turns.
    block : int, optional
        Bytes that stay together, a multiple of the page size. By default a huge page where the
        array is as large as two for each node, and otherwise a page; huge pages that are there
        already stay whole, and small pages make up for what they leave uneven. Blocks that you
        choose may cut through huge pages: see ``on_conflict`` of `move`.

    Returns
    -------
    Layout

    Raises
    ------
    TypeError, ValueError
        No nodes, or a block that is not a number of pages.

    Notes
    -----
    Of memory in one piece, blocks of whole huge pages begin at addresses that are multiples of a
    huge page's size, so that none is cut.

    Examples
    --------
    >>> a = np.zeros(5 * 4096, np.uint8)
    >>> set(targets(interleave([0, 1], block=4096), a).tolist())
    {0, 1}
    """
    return Interleave(listed_nodes(nodes), _as_block(block))


def weighted(shares: Mapping[int, Count], *, block: int | None = None) -> Layout:
    """Spread pages over nodes in turn, to some more often: by bandwidth, or to a slow tier less.

    Parameters
    ----------
    shares : mapping of int to int
        How many of the turns each node has: ``{0: 3, 1: 1}`` for ``0 0 1 0``.
    block : int, optional
        As for `interleave`.

    Returns
    -------
    Layout
        The turns of a node are as far from each other as the shares allow.

    Raises
    ------
    TypeError, ValueError
        No mapping, no nodes, shares that are not whole numbers from 0, all of them 0, or more than
        65,536 turns in all once divided by what all have in common; or a block that is not a
        number of pages.

    Examples
    --------
    >>> a = np.zeros(8 * 4096, np.uint8)
    >>> found = targets(weighted({0: 3, 1: 1}, block=4096), a)[:8]
    >>> np.bincount(found).tolist()
    [6, 2]
    """
    if not isinstance(shares, Mapping):
        raise TypeError(f"shares: expected a mapping such as {{0: 2, 1: 1}}, got {shares!r}")
    counts = {operator.index(node): operator.index(share) for node, share in shares.items()}
    if min(counts.values(), default=0) < 0 or not any(counts.values()):
        raise ValueError(
            f"shares: expected whole numbers from 0, not all of them 0, got {dict(shares)!r}"
        )
    # Bandwidths in bytes a second are shares too.
    if sum(counts.values()) > _MOST_TURNS:
        common = math.gcd(*counts.values())
        counts = {node: share // common for node, share in counts.items()}
    if (total := sum(counts.values())) > _MOST_TURNS:
        raise ValueError(
            f"shares: expected at most {_MOST_TURNS:,} turns in all, got {total:,} by "
            f"{dict(shares)!r}; round them, such as bytes a second to GB/s"
        )
    # The turns of each node at even distances, all nodes' turns in one order.
    turns = [
        ((turn + 0.5) / count, -count, node)
        for node, count in counts.items()
        for turn in range(count)
    ]
    return Interleave(listed_nodes([node for _, _, node in sorted(turns)]), _as_block(block))


def _as_block(block: int | None) -> int | None:
    if block is None:
        return None
    size = operator.index(block)
    page = topology().page_size
    if not page <= size < 1 << 62 or size % page:
        raise ValueError(f"block: expected a multiple of the page size {page}, got {block}")
    return size


def _block_for(footprint: Footprint, nodes: int) -> int:
    enough = footprint.nbytes >= HUGE_PAGE_BYTES * HUGE_PAGES_A_SHARE * nodes
    return HUGE_PAGE_BYTES if enough else footprint.page_size
