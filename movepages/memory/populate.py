"""Allocate pages before they are first written to: touch()."""

from __future__ import annotations

import errno
import mmap
import os

import numpy as np

from .. import _core
from ..pages.like import MemoryLike
from ..results.outcome import make_error
from ..system.advice import MADV_POPULATE_WRITE
from .own_ranges import own_ranges

# Touching this much takes tens of milliseconds.
_PART_BYTES = 64 << 20


def touch(a: MemoryLike) -> None:
    """Populate every page of `a` now, on the nodes of its policy; contents stay the same.

    Parameters
    ----------
    a : ndarray, buffer or Region of this process
        Memory that is mapped read-only cannot be touched.

    Raises
    ------
    TypeError, ValueError
        `a` exposes no memory, or memory of another process.
    MovePagesError
        There is no free memory (also a MemoryError), memory is not mapped or may not be written to,
        or Linux is older than 5.14.
    KeyboardInterrupt
        The call was interrupted between two portions of 64 MiB.

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
    for start, nbytes in own_ranges(a):
        populate(start, nbytes, MADV_POPULATE_WRITE)


def populate(start: int, nbytes: int, advice: int) -> None:
    """Have the kernel fault a range in, for reading or for writing."""
    code, _ = _core.advise(start, nbytes, advice, _PART_BYTES)
    if code == errno.EINVAL and not _can_populate():
        raise make_error(
            errno.ENOSYS,
            "MADV_POPULATE_READ and _WRITE need Linux 5.14 or later; access the array instead",
        )
    if code:
        used = "written to" if advice == MADV_POPULATE_WRITE else "read"
        why = {
            errno.ENOMEM: "no memory is free on the nodes that its policy allows, or a part of it "
            "is not mapped",
            errno.EFAULT: "the hugetlb pool has no free page on the nodes that its policy allows, "
            "or the mapped file was truncated",
            errno.EINVAL: f"a part of it may not be {used}, or belongs to a device; pass memory "
            f"that can be {used}",
        }
        raise make_error(code, why.get(code, os.strerror(code)))


def _can_populate() -> bool:
    """Return whether the kernel knows MADV_POPULATE_WRITE, by trying it on a new page."""
    page = np.frombuffer(mmap.mmap(-1, mmap.PAGESIZE), np.uint8)
    code, _ = _core.advise(page.ctypes.data, page.nbytes, MADV_POPULATE_WRITE, page.nbytes)
    return bool(code == 0)
