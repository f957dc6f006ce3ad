"""Allocate numpy's own arrays on chosen nodes: allocating()."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from contextlib import ContextDecorator
from typing import Literal, Self, SupportsIndex

from .. import _core
from .policies import bind
from .policy_modes import as_policy

# numpy itself asks for huge pages for arrays of this size and larger ones.
_HUGE_FROM = 4 << 20


class _Allocating(_core.Heap, ContextDecorator):
    # A class because of signals: in a generator, a signal handler that raises right after the
    # `yield` would leave the block entered for as long as the traceback lives.
    _asked: tuple[Sequence[SupportsIndex] | SupportsIndex, str, Literal["thp"] | None]

    def __new__(
        cls,
        nodes: Sequence[SupportsIndex] | SupportsIndex,
        mode: str,
        huge: Literal["thp"] | None,
    ) -> Self:
        if huge not in (None, "thp"):
            raise ValueError(f"huge: expected 'thp' or None, got {huge!r}")
        number, chosen = as_policy(nodes, mode)
        # Try the policy on a scratch page: if the kernel refuses it, this error gives the reason.
        # Within numpy it would be a MemoryError without one.
        bind(mmap.mmap(-1, mmap.PAGESIZE), chosen.tolist(), mode=mode)
        made = super().__new__(cls, number, chosen, _HUGE_FROM if huge else 0)
        made._asked = nodes, mode, huge
        return made

    def _recreate_cm(self) -> _Allocating:
        return _Allocating(*self._asked)


def allocating(
    node: Sequence[SupportsIndex] | SupportsIndex,
    *,
    mode: str = "bind",
    huge: Literal["thp"] | None = "thp",
) -> _Allocating:
    """Allocate the memory of new numpy arrays on a node within a ``with`` block.

    Parameters
    ----------
    node : int or sequence of int
        The nodes, as for `bind`.
    mode : str, default "bind"
        The policy, as for `bind`, for instance "interleave" or "preferred".
    huge : {"thp"}, optional
        "thp" asks for transparent huge pages for arrays of 4 MiB or more, as numpy's own allocator
        does. None leaves the choice to the kernel's setting.

    Returns
    -------
    context manager
        Use it for one ``with`` block. As a decorator, it enters a new block for each call.

    Raises
    ------
    TypeError, ValueError
        `mode` or `huge` is unknown, or the nodes do not fit the mode.
    MovePagesError
        A node has no memory or is not allowed, or the kernel lacks this mode.

    Notes
    -----
    Every array that numpy allocates within the block, whichever code creates it, takes its memory
    from these nodes and keeps it after the block ends. Arrays created before, and views of other
    memory, are not affected. An array that is resized later keeps its nodes.

    The block applies to its own thread and asyncio task, because numpy's handler is a context
    variable. Threads started within the block allocate as usual, unless they run in a copy of the
    context (``contextvars.copy_context().run``). In free-threaded Python 3.14 and later, they do so
    by default. Leaving the block restores the previous handler, even if an exception ends it or a
    signal handler raises at any moment.

    Arrays of up to 32 KiB share pages only with other arrays of the same ``with`` block; each
    larger array is a mapping. Up to 64 MiB of mappings released within the block are kept for the
    next arrays of the same size. They are freed at the end of the block; memory released later is
    freed at once.
    Source: NEP 49 (``PyDataMem_SetHandler``), mbind(2).

    Examples
    --------
    >>> node = topology().allowed_nodes[0]
    >>> with allocating(node):
    ...     a = np.ones((1000, 1000))
    >>> where(a).bytes_per_node == {node: a.nbytes}
    True
    """
    return _Allocating(node, mode, huge)
