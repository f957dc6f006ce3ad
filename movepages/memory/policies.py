"""Policies for pages to come: bind() and policy()."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt

from .. import _core
from ..results.outcome import MovePagesError, make_error
from ..system.maps import Backing, read_mappings
from .own_ranges import own_ranges
from .policy_modes import PolicyMode, as_policy, mbind_failed

_MPOL_MODE_FLAGS = 0b111 << 13


class PolicyRange(NamedTuple):
    """The policy of a part of an array.

    Attributes
    ----------
    address, nbytes : int
        The part, in bytes.
    mode : PolicyMode
        DEFAULT is that of the thread that touches a page first.
    nodes : tuple of int
        What it is about; empty for DEFAULT and LOCAL.
    """

    address: int
    nbytes: int
    mode: PolicyMode
    nodes: tuple[int, ...]


def bind(a: object, nodes: Sequence[SupportsIndex] | SupportsIndex, *, mode: str = "bind") -> None:
    """Say where the pages of `a` that are yet to come are to be. Those it has stay where they are.

    Parameters
    ----------
    a : ndarray, buffer or Region of this process
        Pages that it fills in part are included.
    nodes : int or sequence of int
        Empty for the modes "default" and "local".
    mode : str, default "bind"
        "bind" (nowhere else, on pain of the out-of-memory killer), "preferred" (of one node),
        "preferred-many", "interleave", "weighted-interleave", "local" or "default".

    Raises
    ------
    TypeError, ValueError
        Not a mode, nodes that do not go with it, or memory of another process. Nothing has changed.
    MovePagesError
        A node that has no memory or is not allowed, memory that is not mapped, a kernel without
        this mode. Of an array in several ranges, the message tells how much is bound by then.
    KeyboardInterrupt
        And whatever a signal handler raises: all of `a` is bound, or none of it.

    Notes
    -----
    The policy belongs to the address range: it is gone with it, and an array that the allocator
    puts there later has it. Arrays of `empty` have their range to themselves. Source: mbind(2).

    Examples
    --------
    >>> a = empty(1 << 20)
    >>> bind(a, topology().allowed_nodes[0])
    >>> policy(a)[0].mode.name
    'BIND'
    """
    chosen, found = as_policy(nodes, mode)
    ranges = own_ranges(a)
    done, failed_at, heard = 0, -1, None
    while done < len(ranges):
        # A half of it would be neither what was nor what is wanted, so what a signal handler raises
        # waits for the end. A range that is bound twice is as one that is bound once.
        try:
            while done < len(ranges):
                code = _core.bind(*ranges[done], chosen, found, 0)
                if code:
                    raise mbind_failed(code, chosen, sum(nbytes for _, nbytes in ranges[:done]))
                done += 1
        except MovePagesError:
            if heard is None:
                raise
            break
        except BaseException as error:
            # Twice at one place, it is no signal's.
            if failed_at == done:
                raise
            failed_at, heard = done, heard or error
    if heard is not None:
        try:
            raise heard
        finally:
            # A frame and its exception would keep each other, and the caller's array, alive.
            del heard


def policy(a: object) -> tuple[PolicyRange, ...]:
    """Tell the policy of pages of `a` that are yet to come.

    Parameters
    ----------
    a : ndarray, buffer or Region of this process

    Returns
    -------
    tuple of PolicyRange
        In address order, neighbours alike as one.

    Raises
    ------
    TypeError, ValueError
        `a` exposes no memory, or memory of another process.
    MovePagesError
        Memory that is not mapped, or a sandbox that forbids to ask.

    Notes
    -----
    Source: get_mempolicy(2) with MPOL_F_ADDR, for each mapping.

    Examples
    --------
    >>> [each.mode.name for each in policy(empty(1000))]
    ['DEFAULT']
    """
    found: list[PolicyRange] = []
    for start, nbytes in own_ranges(a):
        for begin, end in _alike(start, nbytes):
            code, raw, nodes = _core.policy(begin)
            if code:
                raise make_error(code, f"get_mempolicy(2) of {begin:#x}: {os.strerror(code)}")
            now = PolicyRange(begin, end - begin, PolicyMode(raw & ~_MPOL_MODE_FLAGS), tuple(nodes))
            last = found[-1] if found else None
            alike = last and last[2:] == now[2:] and last.address + last.nbytes == begin
            if last and alike:
                found[-1] = last._replace(nbytes=last.nbytes + now.nbytes)
            else:
                found.append(now)
    return tuple(found)


def _alike(start: int, nbytes: int) -> Iterator[tuple[int, int]]:
    """Cut a range into parts that have one policy each.

    Private memory has one for each mapping. That of shared memory belongs to what is mapped, and
    may differ from page to page.
    """
    mappings = read_mappings(0)
    edges: npt.NDArray[np.uintp] = np.array([start, start + nbytes], np.uintp)
    begin, end, private = edges[:1], edges[1:], np.zeros(1, bool)
    if mappings is not None:
        _, begin, end = mappings.cut(begin, end)
        private = mappings.at(begin) == Backing.PRIVATE.value
    for first, last, whole in zip(begin.tolist(), end.tolist(), private.tolist(), strict=True):
        step = last - first if whole else mmap.PAGESIZE
        yield from ((at, at + step) for at in range(first, last, step))
