"""Presence: what the page tables of a process hold in a range."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .. import _core


class Presence(IntEnum):
    """What an entry of the page tables holds.

    Notes
    -----
    Source: the ioctl PAGEMAP_SCAN and /proc/PID/pagemap,
    Documentation/admin-guide/mm/pagemap.rst in the kernel. The numbers are those of the core.
    """

    NOTHING = 0
    PAGE = 1
    HUGE_PAGE = 2
    ZERO_PAGE = 3
    SWAPPED = 4
    GUARD = 5
    # Before Linux 6.7 the zero page looks like any page that several processes map.
    OWN_PAGE = 6
    PAGE_OR_ZERO = 7


class PresenceRuns(NamedTuple):
    """Ranges of one kind each, in address order; `kind` holds values of `Presence`."""

    start: npt.NDArray[np.uintp]
    end: npt.NDArray[np.uintp]
    kind: npt.NDArray[np.uint8]


def presence_runs(
    starts: npt.NDArray[np.uintp], ends: npt.NDArray[np.uintp], pid: int
) -> PresenceRuns | None:
    """Return what the page tables hold in some ranges; None if they cannot be read.

    Parameters
    ----------
    starts, ends : ndarray of uintp
        Page-aligned ranges in address order.
    pid : int
        The process; 0 for this one.
    """
    found = _core.presence(starts, ends, pid)
    return None if found is None else PresenceRuns(*found)
