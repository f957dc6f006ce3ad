"""Memory behind pages before anybody writes to them: touch()."""

from __future__ import annotations

import errno
import mmap
import os

import numpy as np

from .. import _core
from ..results.outcome import make_error
from ..system.advice import MADV_POPULATE_WRITE
from .own_ranges import own_ranges

# So much is touched in tens of milliseconds.
_PART_BYTES = 64 << 20


def touch(a: object) -> None:
    """Have the kernel put memory behind every page of `a` now, by its policy. Contents stay.

    Parameters
    ----------
    a : ndarray, buffer or Region of this process
        What is mapped for reading only cannot be touched.

    Raises
    ------
    TypeError, ValueError
        `a` exposes no memory, or memory of another process.
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
    for start, nbytes in own_ranges(a):
        populate(start, nbytes, MADV_POPULATE_WRITE)


def populate(start: int, nbytes: int, advice: int) -> None:
    """Have the kernel fault a range in, for reading or for writing."""
    code, _ = _core.advise(start, nbytes, advice, _PART_BYTES)
    if code == errno.EINVAL and not _can_populate():
        raise make_error(
            errno.ENOSYS,
            "MADV_POPULATE_READ and _WRITE came with Linux 5.14; use the array instead",
        )
    if code:
        used = "written to" if advice == MADV_POPULATE_WRITE else "read"
        why = {
            errno.ENOMEM: "no memory is left where its policy allows some, or a part of it is "
            "not mapped",
            errno.EFAULT: "the hugetlb pool has no page free where its policy allows some, or its "
            "file has become shorter",
            errno.EINVAL: f"a part of it may not be {used}, or is a device's; pass memory that can "
            f"be {used}",
        }
        raise make_error(code, why.get(code, os.strerror(code)))


def _can_populate() -> bool:
    """Tell it by a page of one's own."""
    page = np.frombuffer(mmap.mmap(-1, mmap.PAGESIZE), np.uint8)
    code, _ = _core.advise(page.ctypes.data, page.nbytes, MADV_POPULATE_WRITE, page.nbytes)
    return bool(code == 0)
