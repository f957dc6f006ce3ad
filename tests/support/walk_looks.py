"""Where all pages of an array are, from /proc alone: nothing here asks the package.

Source: Documentation/admin-guide/mm/pagemap.rst, which also describes /proc/kpageflags.
"""

import os
from functools import cache

import numpy as np

from . import memory
from .kinds_frames import ABSENT, nodes_of_frames
from .memory import PAGE

_PRESENT, _EXCLUSIVE = np.uint64(1 << 63), np.uint64(1 << 56)
_FRAME_NUMBER = np.uint64((1 << 55) - 1)
# In /proc/kpageflags: a page of a folio other than its first.
_TAIL = np.uint64(1 << 16)
# No folio that a process maps in part is larger than this.
_BLOCK = 512


@cache
def _files() -> tuple[int, int]:
    return os.open("/proc/self/pagemap", os.O_RDONLY), os.open("/proc/kpageflags", os.O_RDONLY)


@cache
def _zeros() -> tuple[int, int, int, np.ndarray]:
    """Return the zero page's frame number, and the first and last of the huge zero page.

    The memory returned with them keeps the huge zero page where it is.
    """
    small = memory.anonymous(PAGE)
    assert small[0] == 0
    frame = int(_entries(small)[0] & _FRAME_NUMBER)
    if not memory.huge_page_size():
        return frame, frame, frame, small
    huge = memory.anonymous(memory.huge_page_size(), huge=True)
    assert huge[0] == 0
    frames = _entries(huge) & _FRAME_NUMBER
    return frame, int(frames[0]), int(frames[-1]), huge


def _entries(array: np.ndarray) -> np.ndarray:
    first = array.ctypes.data // PAGE
    count = (array.ctypes.data + array.nbytes - 1) // PAGE - first + 1
    entries = np.frombuffer(os.pread(_files()[0], 8 * count, 8 * first), np.uint64)
    return np.where(entries & _PRESENT != 0, entries, np.uint64(0))


class Look:
    """The state of the pages of an array at one moment.

    Parameters
    ----------
    array : ndarray
    mixed : bool, default True
        Whether some pages may belong to the same folio.

    Attributes
    ----------
    frame : ndarray of uint64
        Frame number of each page, 0 for an absent page.
    node : ndarray of int32
        Node of each page; `ABSENT` for an absent page and for a zero page.
    shared : ndarray of bool
        Whether each page is mapped more than once.
    """

    def __init__(self, array: np.ndarray, *, mixed: bool = True) -> None:
        self.mixed = mixed
        # This comes first: allocating what keeps the zero pages must not move any page below.
        zero, first, last, _ = _zeros()
        entries = _entries(array)
        self.frame = entries & _FRAME_NUMBER
        frame = self.frame
        self.zero = (frame == zero) | ((frame >= first) & (frame <= last))
        self.node = np.where(self.zero, np.int32(ABSENT), nodes_of_frames(self.frame))
        self.shared = (self.frame != 0) & (entries & _EXCLUSIVE == 0)
        self.there = self.node != ABSENT

    def folios(self) -> np.ndarray:
        """Return the first frame of each page's folio; an absent page gets its own negative number.

        The kernel answers for these frames as they are now, which is wrong for pages that moved
        since.
        """
        head = -1 - np.arange(len(self.frame))
        frame = self.frame[self.there].astype(np.int64)
        head[self.there] = frame
        blocks, which = np.unique(frame // _BLOCK, return_inverse=True)
        # A page alone in its block may be a piece of a huge page that has no other piece here.
        several = np.flatnonzero(np.bincount(which) > 1) if self.mixed else blocks[:0]
        if not len(several):
            return head
        flags = np.zeros((len(blocks), _BLOCK), np.uint64)
        for i in several.tolist():
            found = os.pread(_files()[1], 8 * _BLOCK, 8 * _BLOCK * int(blocks[i]))
            # The last block of memory may be shorter.
            flags[i, : len(found) // 8] = np.frombuffer(found, np.uint64)
        tail = flags & _TAIL != 0
        starts = np.maximum.accumulate(np.where(tail, 0, np.arange(_BLOCK)), axis=1)
        place = frame % _BLOCK
        head[self.there] = blocks[which] * _BLOCK + np.where(
            tail[which, place], starts[which, place], place
        )
        return head
