"""Find pages that move together although the page tables do not show it, by moving one.

Page tables show huge pages from Linux 6.7 on, and never multi-size ones (mTHP), large folios of
files, or a huge page that was partly unmapped. If a target cuts through one of these, each entry
moves all of its pages, and the pages that were moved first end up elsewhere.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .._core import HUGE_PAGE_BYTES
from ..layouts.patterns import NodeArray
from ..pages.arguments import Addresses
from ..query.syscall import move_pages
from ..results.outcome import (
    MovePagesMemoryError,
    MovePagesPermissionError,
    MovePagesValueError,
)

Indices: TypeAlias = "npt.NDArray[np.int64]"
Mask: TypeAlias = "npt.NDArray[np.bool_]"

# The smallest multi-size page has 4 pages, so the range of a huge page holds up to 128 of them.
_MOST_ROUNDS = 160


def near(addresses: Addresses, pages: Mask) -> Mask:
    """Tell which addresses lie in the huge page of one of the pages, or in one beside it."""
    huge_pages = addresses // np.uintp(HUGE_PAGE_BYTES)
    some = huge_pages[pages]
    one = np.uintp(1)
    beside: Mask = np.isin(huge_pages, np.concatenate((some - one, some, some + one)))
    return beside


class Groups(NamedTuple):
    """Pages that move together.

    Attributes
    ----------
    of : ndarray of int64
        The group of each page, numbered from 0; -1 for pages in none.
    number : int
        How many groups there are.
    """

    of: Indices
    number: int

    def votes(self, wanted: NodeArray) -> tuple[list[int], Indices]:
        """Count, for each group, the pages that are wanted on each node, like `Folios.votes`."""
        some = (self.of >= 0) & (wanted >= 0)
        nodes, column = np.unique(wanted[some], return_inverse=True)
        votes = np.zeros((self.number, len(nodes)), np.int64)
        np.add.at(votes, (self.of[some], column), 1)
        return nodes.tolist(), votes

    def first(self) -> Indices:
        """Return the first page of each group."""
        _, index = np.unique(self.of, return_index=True)
        found: Indices = index[len(index) - self.number :]
        return found


def carried_along(
    addresses: Addresses, tried: Mask, target: NodeArray, *, pid: int, flags: int
) -> Groups:
    """Find pages that move together, by moving some that are not where they were wanted.

    Parameters
    ----------
    addresses : ndarray of uintp
        Pages in address order.
    tried : ndarray of bool
        The pages to move: present, and with a target that they are not on.
    target : ndarray of int32
        The node wanted for each page.

    Returns
    -------
    Groups
        The pages have moved: query where they are now.
    """
    group = np.full(len(addresses), -1)
    left, grain, count = tried.copy(), HUGE_PAGE_BYTES, 0
    for _ in range(_MOST_ROUNDS):
        candidates = np.flatnonzero(left & (group < 0))
        if not len(candidates):
            break
        block = addresses // np.uintp(grain)
        _, first = np.unique(block[candidates], return_index=True)
        probes = candidates[first]
        left[probes] = False
        pages, of = _move_and_see(addresses, block, probes, target, pid=pid, flags=flags)
        if not len(pages):
            continue
        group[pages] = of + count
        starts = np.flatnonzero(np.append(True, of[1:] != of[:-1]))
        count += len(starts)
        ends = np.append(starts[1:], len(of)) - 1
        span = int((addresses[pages[ends]] - addresses[pages[starts]]).max())
        # Neighbouring folios mostly have one size, so the next probes are this far apart.
        grain = min(grain, 1 << span.bit_length())
    return Groups(group, count)


def _move_and_see(
    addresses: Addresses,
    block: Addresses,
    probes: Indices,
    target: NodeArray,
    *,
    pid: int,
    flags: int,
) -> tuple[Indices, Indices]:
    """Move one page in each of some blocks, and return the pages that moved with it.

    Returns
    -------
    pages : ndarray of int64
        Pages that moved together with others, the probe included, ascending.
    of : ndarray of int64
        Group of each of these pages, numbered from 0, ascending.
    """
    inside = np.flatnonzero(np.isin(block, block[probes]))
    before = move_pages(addresses[inside], pid=pid, flags=flags)
    _move_by_node(addresses[probes], target[probes], pid=pid, flags=flags)
    after = move_pages(addresses[inside], pid=pid, flags=flags)
    probe = np.searchsorted(block[probes], block[inside])
    moved = (after != before) & (before >= 0) & (after == target[probes[probe]])
    at = np.searchsorted(inside, probes)
    with_others = _several(moved, probe, len(probes)) & moved[at]
    if not with_others.any():
        return inside[:0], inside[:0]
    # Another thread may have mapped a page anew that went to the same node by chance. What really
    # moves together comes back together, too.
    sent, home = probes[with_others], before[at[with_others]]
    # A node outside the cpuset takes no page back. Then the groups stay as they were found.
    with suppress(MovePagesPermissionError, MovePagesValueError):
        _move_by_node(addresses[sent], home, pid=pid, flags=flags)
    back = move_pages(addresses[inside], pid=pid, flags=flags)
    moved &= with_others[probe] & (back == back[at[probe]])
    together = _several(moved, probe, len(probes))
    alone = probes[with_others & ~together]
    _move_by_node(addresses[alone], target[alone], pid=pid, flags=flags)
    moved &= together[probe]
    _, of = np.unique(probe[moved], return_inverse=True)
    return inside[moved], of


def _several(moved: Mask, probe: Indices, number: int) -> Mask:
    """Return the probes with which at least one other page moved."""
    several: Mask = np.bincount(probe[moved], minlength=number) > 1
    return several


def _move_by_node(addresses: Addresses, nodes: NodeArray, *, pid: int, flags: int) -> None:
    """Move pages, all of one node in a row; a query shows later which of them moved."""
    order = np.argsort(nodes, kind="stable")
    # A full node does not affect the others.
    with suppress(MovePagesMemoryError):
        move_pages(addresses[order], nodes[order], pid=pid, flags=flags)
