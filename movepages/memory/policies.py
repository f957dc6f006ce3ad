"""Set and query the policy of pages that are not allocated yet: bind() and policy()."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt

from .. import _core
from ..pages.like import MemoryLike
from ..results.failure import Failure
from ..results.outcome import MovePagesError
from ..system.maps import Backing, read_mappings
from .own_ranges import own_ranges
from .policy_modes import PolicyMode, as_policy, get_mempolicy_failed, mbind_failed

_MPOL_MODE_FLAGS = 0b111 << 13


class PolicyRange(NamedTuple):
    """The policy of a part of an array.

    Attributes
    ----------
    address, nbytes : int
        Start and size of the part.
    mode : PolicyMode
        The mode. DEFAULT means the policy of the thread that first touches a page.
    nodes : tuple of int
        The nodes of the policy; empty for DEFAULT and LOCAL.
    """

    address: int
    nbytes: int
    mode: PolicyMode
    nodes: tuple[int, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`."""
        return self._asdict() | {"mode": self.mode.name, "nodes": list(self.nodes)}


def bind(
    a: MemoryLike, nodes: Sequence[SupportsIndex] | SupportsIndex, *, mode: str = "bind"
) -> None:
    """Set the NUMA policy for pages of `a` that are not allocated yet; present pages do not move.

    Parameters
    ----------
    a : object with memory
        As for `where`, with memory of this process. Pages that `a` fills only in part are included.
    nodes : int or sequence of int
        The nodes of the policy; empty for the modes "default" and "local".
    mode : str, default "bind"
        "bind" (these nodes only: if they are full, the out-of-memory killer may end a process),
        "preferred" (one node), "preferred-many", "interleave", "weighted-interleave" or "weighted",
        "local" or "default".

    Raises
    ------
    TypeError, ValueError
        `mode` is unknown, the nodes do not fit it, or `a` is memory of another process. Nothing has
        changed.
    MovePagesError
        A node has no memory or is not allowed, memory is not mapped, or the kernel lacks this mode.
        If `a` has several ranges, the message states how much of it is bound already.
    KeyboardInterrupt
        On Ctrl-C: either all of `a` is bound, or none of it. The same holds for any other exception
        that a signal handler raises.

    Notes
    -----
    The policy belongs to the address range and lasts until the range is unmapped. It also applies
    to arrays that an allocator puts there later. An array from `empty` shares its range with
    nothing else. Source: mbind(2).

    Examples
    --------
    >>> a = empty(1 << 20)
    >>> bind(a, topology().allowed_nodes[0])
    >>> policy(a)[0].mode.name
    'BIND'
    """
    chosen, found = as_policy(nodes, mode)
    ranges = own_ranges(a)
    done, failed_at = 0, -1
    heard: Failure | None = None
    while done < len(ranges):
        # An exception of a signal handler waits until every range is bound, so that no array is
        # left half bound. Binding the interrupted range again does no harm.
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
            # A second exception in the same range does not come from a signal.
            if failed_at == done:
                raise
            failed_at, heard = done, heard or Failure(error)
    if heard is not None:
        raise heard.take()


def policy(a: MemoryLike) -> tuple[PolicyRange, ...]:
    """Return the NUMA policy for pages of `a` that are not allocated yet.

    Parameters
    ----------
    a : object with memory
        As for `where`, with memory of this process.

    Returns
    -------
    tuple of PolicyRange
        The parts of `a` in address order. Neighbouring parts with the same policy are joined.

    Raises
    ------
    TypeError, ValueError
        `a` exposes no memory, or is memory of another process.
    MovePagesError
        Memory is not mapped, or a sandbox forbids the query.

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
                raise get_mempolicy_failed(code, begin)
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

    Private memory has one policy for each mapping. The policy of shared memory belongs to the
    mapped object and may differ from page to page.
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
