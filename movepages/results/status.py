"""PageStatus: what a negative entry of a status array means, and what to do about it."""

from __future__ import annotations

import errno
import os
from enum import IntEnum
from operator import index
from typing import SupportsIndex

from .. import _core


class PageStatus(IntEnum):
    """Negative entries of a status array; a node number, 0 or more, is where the page is.

    The names are the kernel's. All eight that the first version of the call could report are here,
    although today's kernels use only ENOENT, EFAULT, EACCES and EBUSY; ENOMEM is also what this
    package gives pages of a batch that the kernel gave up for want of memory. ENODATA is its own:
    before Linux 6.6 the kernel calls some pages absent that are in memory.

    Attributes
    ----------
    meaning : str
        Why the page has this status, in one sentence.
    remedy : str
        What to do about it.

    Examples
    --------
    >>> PageStatus(-2).name, PageStatus(-2).meaning
    ('ENOENT', 'no memory behind this page yet, or not any more')

    Notes
    -----
    Source: move_pages(2), section "Page states in the status array", and ``do_pages_move`` and
    ``do_pages_stat`` in the kernel's mm/migrate.c.
    """

    meaning: str
    remedy: str

    def __new__(cls, value: int, meaning: str = "", remedy: str = "") -> PageStatus:  # noqa: D102
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        member.remedy = remedy
        return member

    @classmethod
    def _missing_(cls, value: object) -> PageStatus | None:
        # A kernel to come may answer with an errno that none has used so far.
        # numpy's integers too, as they are what a status array holds.
        if not isinstance(value, SupportsIndex) or not -4096 < (number := index(value)) < 0:
            return None
        member = int.__new__(cls, number)
        member._name_ = errno.errorcode.get(-number, f"ERRNO_{-number}")
        member._value_ = number
        member.meaning = os.strerror(-number)
        member.remedy = "see the manual page move_pages(2)"
        return member

    EPERM = (
        -errno.EPERM,
        "the page is locked in memory and may not be moved",
        "unlock it with munlock; kernels of today move locked pages",
    )
    ENOENT = (
        -errno.ENOENT,
        "no memory behind this page yet, or not any more",
        "write to it or touch() it first, or fault_in() what others have filled",
    )
    EIO = (
        -errno.EIO,
        "the page is waiting to be written back and could not be moved",
        "sync the file and move again",
    )
    ENOMEM = (
        -errno.ENOMEM,
        "the target node had no free memory for this page",
        "free memory on that node or choose another one",
    )
    EACCES = (
        -errno.EACCES,
        "the page is mapped by more than one process, or more than once",
        "move with flags=MPOL_MF_MOVE_ALL, which needs CAP_SYS_NICE",
    )
    EFAULT = (
        -errno.EFAULT,
        "nothing is mapped here, or a device or what the kernel shows programs, or the zero page, "
        "which is on no node",
        "write to it or touch() it first if it is part of an array; otherwise check the address",
    )
    EBUSY = (
        -errno.EBUSY,
        "the page is in use by the kernel or a device, or part of one that another entry of the "
        "same call took elsewhere",
        "try again later; pages pinned for I/O stay until the I/O is over",
    )
    ENODATA = (
        _core.HIDDEN,
        "the page is in memory, but this kernel (before 6.6) neither tells its node nor moves it, "
        "as it may not be accessed (PROT_NONE) or is watched by automatic NUMA balancing",
        "allow access to it, use it once, or use Linux 6.6 or later; migratepages(8) moves it, and "
        "with it all that its process has on the same nodes",
    )
    EINVAL = (
        -errno.EINVAL,
        "the page's kind of memory cannot be migrated",
        "leave it where it is",
    )
    NOT_ATTEMPTED = (
        _core.NOT_ATTEMPTED,
        "the kernel was not asked to move this page, or could not tell what became of it",
        "see the error that ended the call, then move again",
    )
