"""PageStatus: the meaning and the remedy of each negative entry in a status array."""

from __future__ import annotations

import errno
import os
from enum import IntEnum
from operator import index
from typing import SupportsIndex

from .. import _core


class PageStatus(IntEnum):
    """Negative entries of a status array; an entry of 0 or more is the page's node.

    The names are the kernel's. All eight errnos that the first version of move_pages(2) could
    report are here, although today's kernels report only ENOENT, EFAULT, EACCES and EBUSY. This
    package also gives ENOMEM to the pages of a batch that the kernel abandoned for lack of memory.
    ENODATA and NOT_ATTEMPTED are this package's own. ENODATA marks pages that are in memory on an
    unknown node: a sandbox hides the node, or a kernel before Linux 6.6 reports the page as absent.

    Attributes
    ----------
    meaning : str
        Why the page has this status, in one sentence.
    remedy : str
        What you can do about it.

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
        # A future kernel may answer with an errno that no kernel has used so far. The value may be
        # one of numpy's integers, because a status array holds those.
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
        "unlock it with munlock; today's kernels also move locked pages",
    )
    ENOENT = (
        -errno.ENOENT,
        "no memory behind this page yet, or not any more",
        "write to it first, or fault in pages that other processes have filled",
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
        "move it with flags=MPOL_MF_MOVE_ALL, which needs CAP_SYS_NICE",
    )
    EFAULT = (
        -errno.EFAULT,
        "the address is not mapped, or it maps a device, memory of the kernel itself, or the zero "
        "page, which is on no node",
        "if it is part of an array, write to it first; otherwise check the address",
    )
    EBUSY = (
        -errno.EBUSY,
        "the kernel or a device is using the page, or it is part of a larger page that another "
        "entry of the same call moved elsewhere",
        "try again later; pages pinned for I/O cannot move until the I/O is over",
    )
    ENODATA = (
        _core.HIDDEN,
        "the page is in memory, but its node is unknown: a sandbox hides it, or this kernel "
        "(before 6.6) neither reports nor moves the page, because it is inaccessible (PROT_NONE) "
        "or watched by automatic NUMA balancing",
        "in a sandbox, see 'movepages doctor'; elsewhere, allow access to it, access it once, or "
        "use Linux 6.6 or later; migratepages(8) moves it, along with all other memory of its "
        "process on the same nodes",
    )
    EINVAL = (
        -errno.EINVAL,
        "the page's kind of memory cannot be migrated",
        "leave it where it is",
    )
    NOT_ATTEMPTED = (
        _core.NOT_ATTEMPTED,
        "the kernel was not asked to move this page, or could not report the outcome",
        "see the error that ended the call, then move the page again",
    )
