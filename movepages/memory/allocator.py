"""Numpy's own arrays on chosen nodes: allocating()."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from contextlib import ContextDecorator
from typing import Literal, Self, SupportsIndex

from .. import _core
from .policies import bind
from .policy_modes import as_policy

# From here on numpy itself asks for huge pages.
_HUGE_FROM = 4 << 20


class _Allocating(_core.Heap, ContextDecorator):
    # A generator would not do as a context manager: a signal handler that raises right after its
    # `yield` leaves the block entered for as long as the traceback lives.
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
        # What a kernel refuses is told here: within numpy it would be a MemoryError without a
        # reason.
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
    """Have numpy take the memory of new arrays from a node, within a ``with`` block.

    Parameters
    ----------
    node : int or sequence of int
        As of `bind`.
    mode : str, default "bind"
        As of `bind`, for instance "interleave" or "preferred".
    huge : {"thp"}, optional
        Ask for transparent huge pages from 4 MiB on, as numpy does by itself; None leaves it to
        the kernel's setting.

    Returns
    -------
    context manager
        For one ``with`` block. It is a decorator, too, which makes a new one for each call.

    Raises
    ------
    TypeError, ValueError
        Not a mode, or nodes that do not go with it.
    MovePagesError
        A node that has no memory or is not allowed, a kernel without this mode.

    Notes
    -----
    All arrays that numpy allocates within the block, by whatever code, have memory of their own
    there, also when they live on after it. Arrays from before, and views of other memory, stay
    what they are. An array that is resized later stays with its node.

    The block holds for its own thread and asyncio task, as numpy's handler is a context variable:
    threads that are started within allocate as ever, unless they run in a copy of the context
    (``contextvars.copy_context().run``), as the default is from Python 3.14t on. On leaving, also
    by an exception or a signal handler that raises at any moment, what was before is back.

    Blocks of up to 32 KiB share pages with others of the same ``with`` alone; larger ones are
    mappings. Of what is dropped within the block, up to 64 MiB wait there for the next arrays of
    their size; on leaving they are given back, as all that is dropped later is.
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
