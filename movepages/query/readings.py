"""Readings of the mappings of a process, which many queries in a row may share."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from .. import _core
from ..system.intervals import Intervals
from ..system.maps import read_mappings
from ..system.numa_maps import Mapped, mapped

_T = TypeVar("_T")

_kept: ContextVar[dict[Any, Any] | None] = ContextVar("_kept", default=None)


def mappings_read_once() -> _core.Setting:
    """Return a context manager in which the mappings of each process are read at most once.

    Without it, thousands of queries in a row would each read thousands of lines. If memory is
    mapped or unmapped meanwhile, the reason given for an absent page may be outdated, but never the
    node of a page that the kernel reports.
    """
    # A generator would not do: a signal handler that raises after its `yield` would leave the old
    # mappings in place for all later queries.
    return _core.Setting(_kept, {})


def mappings_within(pid: int, first: int, last: int) -> Intervals | None:
    """Return at least the mappings with a byte in [`first`, `last`); None if they are unknown."""
    if _kept.get() is None:
        return read_mappings(pid, first, last)
    return _once(read_mappings, pid)


def mapped_nodes(pid: int) -> Mapped | None:
    """Return the mappings of a process and their nodes; None if they are unknown."""
    return _once(mapped, pid)


def _once(read: Callable[[int], _T], pid: int) -> _T:
    kept = _kept.get()
    if kept is None:
        return read(pid)
    if (read, pid) not in kept:
        kept[read, pid] = read(pid)
    found: _T = kept[read, pid]
    return found
