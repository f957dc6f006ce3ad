"""Errors for nodes that have too little memory for new arrays."""

from __future__ import annotations

import errno
import mmap
from collections.abc import Mapping

from .. import _core
from ..results.outcome import make_error
from ..units import format_bytes

# Pages that one page table maps.
_ENTRIES = mmap.PAGESIZE // 8


def refuse_full_nodes(needs: Mapping[int, int], reserves: Mapping[int, int]) -> None:
    """Raise if a node certainly has too little room, before anything is allocated."""
    short = []
    for node, needed in sorted(needs.items()):
        free = _core.node_room(node) if node >= 0 else None
        if free is None:
            continue
        # The page tables of the memory come from the same node.
        room = max(free - reserves[node], 0) * _ENTRIES // (_ENTRIES + 1)
        if room < needed:
            short.append(_shortage(node, needed, room))
    if short:
        raise make_error(errno.ENOMEM, f"{'; '.join(short)}. Nothing was allocated")


def _shortage(node: int, needed: int, room: int) -> str:
    return (
        f"node {node} can give {format_bytes(room)}, but {format_bytes(needed)} "
        f"are needed there: {format_bytes(needed - room)} too little"
    )


def became_full(node: int, reserve: int) -> Exception:
    """Return the exception for a node that others have filled meanwhile."""
    room = max((_core.node_room(node) or 0) - reserve, 0)
    return make_error(
        errno.ENOMEM,
        f"node {node} became full, with {format_bytes(room)} left that it can give. The memory of "
        "the array was freed",
    )
