"""Layouts that give pages to nodes in turn: interleave() and weighted()."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .._core import HUGE_PAGE_BYTES
from ..pages.arguments import Count, listed_nodes
from ..pages.buffers import footprint_of
from ..pages.page_set import PageSet
from ..system.topology_reader import read_topology
from .array_patterns import HUGE_PAGES_A_SHARE, Cycle
from .known_shares import known_shares
from .targets import Layout

# A layout stores every turn. This many are far more than any ratio of bandwidths needs.
_MOST_TURNS = 1 << 16


@dataclass(frozen=True)
class Interleave:
    """Nodes in turn: the layout that `interleave` and `weighted` return."""

    nodes: tuple[int, ...]
    block: int | None

    def over(self, array: object, footprint: PageSet) -> Cycle:
        """Return the pattern of this layout over one array."""
        return Cycle(self.nodes, self.block_over(footprint), footprint, adapts=self.block is None)

    def block_over(self, footprint: PageSet) -> int:
        """Return the bytes of one turn over some memory."""
        return self.block or _block_for(footprint, len(set(self.nodes)))

    def after(self, part: object) -> Interleave:
        """Return the layout that continues the rotation in the memory after `part`."""
        turn = self.over(part, footprint_of(part)).turns % len(self.nodes)
        return Interleave(self.nodes[turn:] + self.nodes[:turn], self.block)


def interleave(nodes: Sequence[Count], *, block: int | None = None) -> Layout:
    """Spread pages over nodes in turn: ``0 1 2 0 1 2 ...``, for data that all CPUs read.

    Parameters
    ----------
    nodes : sequence of int
        Nodes in the order of their turns; a node that is listed twice has two turns.
    block : int, optional
        Bytes in one turn, a multiple of the page size. The default is one huge page if the array
        is at least as large as two huge pages for each node, and one page otherwise. With the
        default, existing huge pages stay whole, and small pages even out the shares. Blocks that
        you choose may cut through huge pages: see ``on_conflict`` of `move`.

    Returns
    -------
    Layout

    Raises
    ------
    TypeError, ValueError
        `nodes` is empty, or is not a sequence of node numbers; or `block` is not a multiple of the
        page size.

    Notes
    -----
    In contiguous memory, blocks of whole huge pages begin at multiples of the huge page size, so
    that no huge page is cut.

    If single pages take turns, a move distributes existing huge pages among the nodes as a whole.
    The result is `ok` if each node gets its share, less at most an eighth of the smallest share.
    Otherwise the pages that are not where they were wanted count as overruled. Each member of an
    object is judged by itself; members laid out by `together` are judged as one.

    Examples
    --------
    >>> a = np.zeros(5 * 4096, np.uint8)
    >>> set(targets(a, interleave([0, 1], block=4096)).tolist())
    {0, 1}
    """
    return Interleave(listed_nodes(nodes), _as_block(block))


def weighted(shares: Mapping[int, Count] | None = None, *, block: int | None = None) -> Layout:
    """Spread pages over nodes by weight, for example in proportion to the nodes' bandwidths.

    Parameters
    ----------
    shares : mapping of int to int, optional
        Number of turns of each node: ``{0: 3, 1: 1}`` gives ``0 0 1 0``. By default, the kernel's
        weights (since Linux 6.9) of the nodes that this process may use. If nobody has set these,
        the weights follow the bandwidths that the firmware reports.
    block : int, optional
        As for `interleave`.

    Returns
    -------
    Layout
        The turns of each node are spread as evenly as the shares allow.

    Raises
    ------
    TypeError, ValueError
        `shares` is not a mapping, has no share above 0, or has a value that is not a whole number
        from 0. The shares, divided by their greatest common divisor, add up to more than 65,536.
        `block` is not a multiple of the page size.
    TopologyError
        Without `shares`: neither the kernel nor the firmware reports weights, or the nodes cannot
        be read.

    Examples
    --------
    >>> a = np.zeros(8 * 4096, np.uint8)
    >>> found = targets(a, weighted({0: 3, 1: 1}, block=4096))[:8]
    >>> np.bincount(found).tolist()
    [6, 2]
    """
    if shares is None:
        shares = known_shares(read_topology())
    if not isinstance(shares, Mapping):
        raise TypeError(f"shares: expected a mapping such as {{0: 2, 1: 1}}, got {shares!r}")
    try:
        counts = {operator.index(node): operator.index(share) for node, share in shares.items()}
    except TypeError:
        raise TypeError(
            f"shares: expected whole numbers of nodes and turns such as {{0: 3, 1: 1}}, got "
            f"{dict(shares)!r}"
        ) from None
    if min(counts.values(), default=0) < 0 or not any(counts.values()):
        raise ValueError(
            f"shares: expected whole numbers, 0 or more, and not all 0, got {dict(shares)!r}"
        )
    # Shares may be bandwidths in bytes per second, whose plain sum is far too many turns.
    if sum(counts.values()) > _MOST_TURNS:
        common = math.gcd(*counts.values())
        counts = {node: share // common for node, share in counts.items()}
    if (total := sum(counts.values())) > _MOST_TURNS:
        raise ValueError(
            f"shares: expected at most {_MOST_TURNS:,} turns in all, got {total:,} from "
            f"{dict(shares)!r}; round the shares, for example from bytes/s to GB/s"
        )
    # Each node's turns are at even distances from 0 to 1; sorting merges those of all nodes.
    turns = [
        ((turn + 0.5) / count, -count, node)
        for node, count in counts.items()
        for turn in range(count)
    ]
    return Interleave(listed_nodes([node for _, _, node in sorted(turns)]), _as_block(block))


def _as_block(block: int | None) -> int | None:
    if block is None:
        return None
    page = read_topology().page_size
    try:
        size = operator.index(block)
    except TypeError:
        raise TypeError(
            f"block: expected a multiple of the page size {page}, got {block!r}"
        ) from None
    if not page <= size < 1 << 62 or size % page:
        raise ValueError(f"block: expected a multiple of the page size {page}, got {block}")
    return size


def _block_for(footprint: PageSet, nodes: int) -> int:
    enough = footprint.nbytes >= HUGE_PAGE_BYTES * HUGE_PAGES_A_SHARE * nodes
    return HUGE_PAGE_BYTES if enough else footprint.page_size
