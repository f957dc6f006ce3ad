"""Policies for pages to come: bind(), policy() and touch()."""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt

from . import _core
from .buffers import describe
from .errors import make_error
from .footprint import Footprint
from .mappings import Backing, read_mappings
from .policy_modes import PolicyMode, as_policy, mbind_failed

_MPOL_MODE_FLAGS = 0b111 << 13
_MADV_POPULATE_WRITE = 23
# So much is touched in tens of milliseconds.
_TOUCH_BYTES = 64 << 20


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
        Not a mode, or nodes that do not go with it. Nothing has changed.
    MovePagesError
        A node that has no memory or is not allowed, memory that is not mapped, a kernel without
        this mode.

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
    footprint = _of_this_process(a)
    for start, nbytes in _ranges(footprint):
        code = _core.bind(start, nbytes, chosen, found, 0)
        if code:
            raise mbind_failed(code, chosen)


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
    for start, nbytes in _ranges(_of_this_process(a)):
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


def touch(a: object) -> None:
    """Have the kernel put memory behind every page of `a` now, by its policy. Contents stay.

    Parameters
    ----------
    a : ndarray, buffer or Region of this process
        What is mapped for reading only cannot be touched.

    Raises
    ------
    MovePagesError
        No memory (also a MemoryError), memory that is not mapped or may not be written, Linux
        before 5.14.
    KeyboardInterrupt
        Between portions of 64 MiB.

    Notes
    -----
    Source: MADV_POPULATE_WRITE of madvise(2), which triggers a write fault and writes nothing.

    Examples
    --------
    >>> a = empty(1 << 20)
    >>> touch(a)
    >>> where(a).absent_bytes
    0
    """
    for start, nbytes in _ranges(_of_this_process(a)):
        code, _ = _core.advise(start, nbytes, _MADV_POPULATE_WRITE, _TOUCH_BYTES)
        if code == errno.EINVAL and not _can_touch():
            raise make_error(
                errno.ENOSYS, "MADV_POPULATE_WRITE came with Linux 5.14; write to the array instead"
            )
        if code:
            why = {
                errno.ENOMEM: "no memory is left where its policy allows some, or a part of it is "
                "not mapped",
                errno.EFAULT: "the hugetlb pool has no page free where its policy allows some",
                errno.EINVAL: "a part of it may not be written to, or is a device's; pass memory "
                "that can be written to",
            }
            raise make_error(code, why.get(code, os.strerror(code)))


def _can_touch() -> bool:
    """Tell it by a page of one's own."""
    page = np.frombuffer(mmap.mmap(-1, mmap.PAGESIZE), np.uint8)
    code, _ = _core.advise(page.ctypes.data, page.nbytes, _MADV_POPULATE_WRITE, page.nbytes)
    return bool(code == 0)


def _of_this_process(a: object) -> Footprint:
    footprint = describe(a)
    if footprint.pid not in (0, os.getpid()):
        raise ValueError(
            f"a policy can be set and asked in its own process only, got pid {footprint.pid}"
        )
    return footprint


def _ranges(footprint: Footprint) -> list[tuple[int, int]]:
    """Return the rows of pages of a footprint, in bytes."""
    return [
        (start, pages * footprint.page_size)
        for addresses, counts in footprint.ranges()
        for start, pages in zip(addresses.tolist(), counts.tolist(), strict=True)
    ]


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
        private = mappings.at(begin) == Backing.PRIVATE
    for first, last, whole in zip(begin.tolist(), end.tolist(), private.tolist(), strict=True):
        step = last - first if whole else mmap.PAGESIZE
        yield from ((at, at + step) for at in range(first, last, step))
