"""The turns in which the kernel interleaves the pages of private memory by itself."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..layouts.interleave import Interleave
from ..layouts.patterns import NOWHERE, NodeArray
from ..pages.arguments import Addresses
from ..pages.footprint import Footprint
from ..query.syscall import move_pages
from ..results.outcome import MovePagesError
from ..system.refusals import Refusal


def nodes_in_turn(pages: Addresses, nodes: Sequence[int]) -> NodeArray:
    """Return the node that the kernel chooses for each page when it interleaves.

    Parameters
    ----------
    pages : ndarray of uintp
    nodes : sequence of int
        Ascending, and 2, 4, 8 ... of them.

    Notes
    -----
    Source: ``interleave_nid`` in the kernel's mm/mempolicy.c. The turn of a page is its offset in
    the mapped object, which is its page number in private memory that was never remapped. Older
    kernels, such as Linux 6.1, take the lower 32 bits of it, which makes no difference for these
    numbers of nodes.
    """
    turns = pages // np.uintp(mmap.PAGESIZE) % np.uintp(len(nodes))
    found: NodeArray = np.array(nodes, np.int32)[turns.astype(np.intp)]
    return found


def follows_turns(pages: Addresses, wanted: NodeArray, nodes: Sequence[int]) -> bool:
    """Tell whether interleaving over `nodes` gives each page the node wanted for it.

    Parameters
    ----------
    pages : ndarray of uintp
    wanted : ndarray of int32
    nodes : sequence of int
        The nodes that occur in `wanted`, ascending.
    """
    if not _is_power_of_two(len(nodes)) or NOWHERE in nodes:
        return False
    return np.array_equal(nodes_in_turn(pages, nodes), wanted)


def took_turns(pages: Addresses, nodes: Sequence[int]) -> bool:
    """Tell whether pages are where interleaving puts them; False also if that is unknown.

    The kernel takes another node for a page where memory is short, and leaves out nodes that a
    cpuset forbids meanwhile.
    """
    with Refusal(MovePagesError) as refusal:
        status = move_pages(pages)
    return refusal.error is None and np.array_equal(status, nodes_in_turn(pages, nodes))


class FirstTurn(NamedTuple):
    """The turn of a page when the kernel interleaves over `nodes` nodes."""

    turn: int
    nodes: int


ANY_TURN = FirstTurn(0, 1)


def first_turn(layout: object, nbytes: int) -> FirstTurn:
    """Return the turn that new memory has to begin with, so that the kernel's turns are a layout's.

    Parameters
    ----------
    layout : Layout or None
    nbytes : int
        Size of the memory.

    Returns
    -------
    FirstTurn
        `ANY_TURN` if no beginning makes the two agree.
    """
    if not isinstance(layout, Interleave):
        return ANY_TURN
    footprint, nodes = Footprint(0, nbytes), sorted(set(layout.nodes))
    turn = nodes.index(layout.nodes[0])
    agree = _is_power_of_two(len(nodes)) and list(layout.nodes) == nodes[turn:] + nodes[:turn]
    by_page = layout.block_over(footprint) == footprint.page_size
    return FirstTurn(turn, len(nodes)) if agree and by_page else ANY_TURN


def _is_power_of_two(count: int) -> bool:
    return count > 1 and count & (count - 1) == 0
