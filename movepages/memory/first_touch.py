"""Allocate a thread's pages on chosen nodes, whatever library touches them: first_touch()."""

from __future__ import annotations

import errno
import inspect
import os
from collections.abc import Callable, Sequence
from contextlib import ContextDecorator
from functools import partial
from typing import Any, Self, SupportsIndex, TypeVar

from .. import _core
from ..results.outcome import make_error
from .policy_modes import PolicyMode, as_policy, needs_newer_kernel

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _FirstTouch(_core.FirstTouch, ContextDecorator):
    # A class because of signals, as in `allocator`.
    _asked: tuple[SupportsIndex | None, Sequence[SupportsIndex] | None, str]

    def __new__(
        cls, node: SupportsIndex | None, nodes: Sequence[SupportsIndex] | None, mode: str
    ) -> Self:
        if node is not None and nodes is not None:
            raise ValueError("node and nodes: expected one of them, got both")
        number, chosen = as_policy(node if node is not None else nodes or (), mode)
        made = super().__new__(cls, number, chosen, partial(_set_mempolicy_failed, number))
        made._asked = node, nodes, mode
        return made

    def _recreate_cm(self) -> _FirstTouch:
        return _FirstTouch(*self._asked)

    def __call__(self, func: _Function) -> _Function:
        stops = (
            inspect.isgeneratorfunction,
            inspect.iscoroutinefunction,
            inspect.isasyncgenfunction,
        )
        if any(each(func) for each in stops):
            raise TypeError(
                f"first_touch() cannot decorate {func.__qualname__}, which runs after its call "
                "has returned; use a with block inside it, without yield or await"
            )
        return super().__call__(func)


def first_touch(
    node: SupportsIndex | None = None,
    *,
    nodes: Sequence[SupportsIndex] | None = None,
    mode: str = "bind",
) -> _FirstTouch:
    """Choose the node of new pages that this thread touches within a ``with`` block.

    Parameters
    ----------
    node : int, optional
        The node of the policy.
    nodes : sequence of int, optional
        Several nodes instead of `node`.
    mode : str, default "bind"
        The policy, as for `bind`: "bind" (these nodes only: if they are full, the out-of-memory
        killer may end a process), "preferred" (one node), "preferred-many", "interleave",
        "weighted-interleave" or "weighted", and without nodes "local" (the node of the CPU that
        touches) or "default".

    Returns
    -------
    context manager
        Use it for one ``with`` block. As a decorator, it enters a new block for each call.

    Raises
    ------
    TypeError, ValueError
        `mode` is unknown, the nodes do not fit it, both `node` and `nodes` are given, or a
        generator or coroutine function is decorated.
    RuntimeError
        The context manager is entered a second time, or the block ends in another thread.
    MovePagesError
        A node has no memory or is not allowed. When the block is entered: the kernel lacks this
        mode, or a sandbox forbids set_mempolicy(2).

    Notes
    -----
    The policy applies to every page that this thread allocates within the block, whichever library
    asks: numpy, torch, Arrow, malloc. It takes effect when a page is first written to, not when
    memory is reserved. An array that is allocated within the block but filled later follows the
    policy at that later time. Memory that malloc reuses was touched before, and stays where it is.
    glibc is certain to take fresh memory only for blocks above 32 MiB (``M_MMAP_THRESHOLD``).
    Ranges with a policy of their own (`bind`, ``empty(node=)``, `allocating`) follow their own
    policy. Files that the thread reads also enter the page cache on these nodes.

    Other threads keep their policies. A thread started within the block inherits this one for its
    whole life; threads of a pool that exists already do not have it. If the block contains a
    ``yield`` or ``await``, the policy also applies to other code that the thread runs until the
    block continues. Leaving the block restores the thread's own policy, even if an exception ends
    it or a signal handler raises at any moment. Source: set_mempolicy(2).

    Examples
    --------
    >>> node = topology().allowed_nodes[0]
    >>> with first_touch(node):
    ...     a = bytearray(40 << 20)
    >>> where(a).bytes_per_node == {node: len(a)}
    True
    """
    return _FirstTouch(node, nodes, mode)


def _set_mempolicy_failed(mode: PolicyMode, code: int) -> Exception:
    if code == errno.EINVAL and (error := needs_newer_kernel(mode)):
        return error
    why = {
        errno.EPERM: "a sandbox forbids set_mempolicy(2) or get_mempolicy(2); allow both in the "
        "container's seccomp profile, or start the container with --cap-add SYS_NICE",
        errno.ENOSYS: "this kernel has no set_mempolicy(2): it lacks CONFIG_NUMA, or a sandbox "
        "hides the call",
    }
    return make_error(code, why.get(code, f"set_mempolicy(2): {os.strerror(code)}"))
