"""Allocate pages before they are first written to: touch()."""

from __future__ import annotations

import errno
import mmap
import os
from typing import NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt

from .. import _core
from ..pages.arguments import Addresses
from ..pages.like import MemoryLike
from ..results.outcome import make_error
from ..system.advice import MADV_POPULATE_WRITE
from ..system.node_cpus import cpus_beside
from ..system.threads import as_threads, worthwhile_threads
from .own_ranges import own_ranges

# Touching this much takes tens of milliseconds.
_PART_BYTES = 64 << 20


class Share(NamedTuple):
    """Ranges to populate on some nodes, as `_core.populate` takes them.

    Attributes
    ----------
    nodes : ndarray of int32
        One node, or several that take turns by page number; none for the policies of the memory
        and of the calling thread.
    reserves : ndarray of int64
        Bytes of each node that look free, but cannot be had.
    starts, nbytes : ndarray
    cpus : ndarray of int32
        Where the threads run; empty for no restriction.
    threads : int
        Threads to start; 0: the calling thread does it.
    """

    nodes: npt.NDArray[np.int32]
    reserves: npt.NDArray[np.int64]
    starts: Addresses
    nbytes: npt.NDArray[np.int64]
    cpus: npt.NDArray[np.int32]
    threads: int


def touch(a: MemoryLike, *, threads: SupportsIndex | None = None) -> None:
    """Allocate every page of `a` now, on the nodes of its policy; contents stay the same.

    Parameters
    ----------
    a : object with memory
        As for `where`, with memory of this process. Memory that is mapped read-only cannot be
        touched.
    threads : int, optional
        Number of threads; by default one for each 16 MiB, at most 16, and at most as many as the
        CPUs of its node that this thread may run on.

    Raises
    ------
    TypeError, ValueError
        `a` exposes no memory, or is memory of another process; `threads` is not a whole number from
        1.
    MovePagesError
        There is no free memory (also a MemoryError), memory is not mapped or may not be written to,
        or Linux is older than 5.14.
    KeyboardInterrupt
        The call was interrupted between two portions of 16 MiB, or of a huge page where
        that is larger.

    Notes
    -----
    Pages that are present stay where they are. All threads run on the node of the calling thread
    and inherit its policy, so that the number of threads does not change which nodes get the pages.
    Source: MADV_POPULATE_WRITE of madvise(2), which triggers a write fault and writes nothing.

    Examples
    --------
    >>> a = empty(1 << 20)
    >>> touch(a, threads=2)
    >>> where(a).absent_bytes
    0
    """
    ranges = own_ranges(a)
    starts = np.array([start for start, _ in ranges], np.uintp)
    nbytes = np.array([size for _, size in ranges], np.int64)
    cpus = np.empty(0, np.int32)
    count = worthwhile_threads(int(nbytes.sum())) if threads is None else as_threads(threads)
    if count > 1:
        cpus = cpus_beside(_core.current_cpu(), os.sched_getaffinity(0))
        count = min(count, len(cpus)) if threads is None else count
    by_policy = np.empty(0, np.int32), np.empty(0, np.int64)
    failed = populate_shares([Share(*by_policy, starts, nbytes, cpus, count if count > 1 else 0)])
    if failed is not None:
        raise populate_error(failed[0])


def populate_shares(shares: list[Share]) -> tuple[int, int, bool] | None:
    """Populate shares; return None, or errno, node or -1, and whether the node is full."""
    found = _core.populate(list(shares), None)
    if isinstance(found, BaseException):
        raise found
    return found


def populate(start: int, nbytes: int, advice: int) -> None:
    """Have the kernel fault a range in, for reading or for writing."""
    code, _ = _core.advise(start, nbytes, advice, _PART_BYTES)
    if code:
        raise populate_error(code, used="written to" if advice == MADV_POPULATE_WRITE else "read")


def populate_error(code: int, node: int = -1, *, used: str = "written to") -> Exception:
    """Return the exception for an errno of MADV_POPULATE_WRITE or _READ."""
    if code == errno.EINVAL and not _can_populate():
        return make_error(
            errno.ENOSYS,
            "MADV_POPULATE_READ and _WRITE need Linux 5.14 or later; access the array instead",
        )
    if code == errno.EINVAL and node >= 0:
        return make_error(code, f"node {node} has no memory that this process may use")
    allowed = "the nodes that its policy allows" if node < 0 else f"node {node}"
    why = {
        errno.ENOMEM: f"no memory is free on {allowed}, or a part of it is not mapped",
        errno.EFAULT: f"the hugetlb pool has no free page on {allowed}, or the mapped file was "
        "truncated",
        errno.EINVAL: f"a part of it may not be {used}, or belongs to a device; pass memory "
        f"that can be {used}",
    }
    return make_error(code, why.get(code, os.strerror(code)))


def _can_populate() -> bool:
    """Return whether the kernel knows MADV_POPULATE_WRITE, by trying it on a new page."""
    page = np.frombuffer(mmap.mmap(-1, mmap.PAGESIZE), np.uint8)
    code, _ = _core.advise(page.ctypes.data, page.nbytes, MADV_POPULATE_WRITE, page.nbytes)
    return bool(code == 0)
