"""Where all pages of a stretch of memory are, from /proc alone: nothing here asks the package.

Source: Documentation/admin-guide/mm/pagemap.rst, which also tells of /proc/kpageflags.
"""

import os
from functools import cache

import numpy as np

from . import memory
from .kinds_frames import ABSENT, nodes_of_frames
from .memory import PAGE

_PRESENT, _EXCLUSIVE = np.uint64(1 << 63), np.uint64(1 << 56)
_HUGE_PAGE = np.uint64((1 << 55) - 1)
# Of /proc/kpageflags: a page of a folio, but its first.
_TAIL = np.uint64(1 << 16)
# No folio that a process maps in part is larger.
_BLOCK = 512


@cache
def _files() -> tuple[int, int]:
    return os.open("/proc/self/pagemap", os.O_RDONLY), os.open("/proc/kpageflags", os.O_RDONLY)


@cache
def _zeros() -> tuple[int, int, int, np.ndarray]:
    """Return the frame of the page of zeros that all share, the first and the last of the huge one.

    The memory that comes with them keeps the huge one where it is.
    """
    small = memory.anonymous(PAGE)
    assert small[0] == 0
    frame = int(_entries(small)[0] & _HUGE_PAGE)
    if not memory.huge_page_size():
        return frame, frame, frame, small
    huge = memory.anonymous(memory.huge_page_size(), huge=True)
    assert huge[0] == 0
    frames = _entries(huge) & _HUGE_PAGE
    return frame, int(frames[0]), int(frames[-1]), huge


def _entries(array: np.ndarray) -> np.ndarray:
    first = array.ctypes.data // PAGE
    count = (array.ctypes.data + array.nbytes - 1) // PAGE - first + 1
    entries = np.frombuffer(os.pread(_files()[0], 8 * count, 8 * first), np.uint64)
    return np.where(entries & _PRESENT != 0, entries, np.uint64(0))


class Look:
    """The pages of an array at one moment.

    Parameters
    ----------
    array : ndarray
    mixed : bool, default True
        Whether some of them may be of one folio.

    Attributes
    ----------
    frame : ndarray of uint64
        Frame of each, 0 where there is none.
    node : ndarray of int32
        Node of each; `ABSENT` where there is none, and for a page of zeros.
    shared : ndarray of bool
        Whether it is mapped more than once.
    """

    def __init__(self, array: np.ndarray, *, mixed: bool = True) -> None:
        self.mixed = mixed
        # Before anything else: what keeps the pages of zeros may move none of these.
        zero, first, last, _ = _zeros()
        entries = _entries(array)
        self.frame = entries & _HUGE_PAGE
        frame = self.frame
        self.zero = (frame == zero) | ((frame >= first) & (frame <= last))
        self.node = np.where(self.zero, np.int32(ABSENT), nodes_of_frames(self.frame))
        self.shared = (self.frame != 0) & (entries & _EXCLUSIVE == 0)
        self.there = self.node != ABSENT

    def folios(self) -> np.ndarray:
        """Return the first frame of the folio of each page; below 0 and unlike others for none.

        It is what the kernel says of these frames now: of pages that moved since, something else.
        """
        head = -1 - np.arange(len(self.frame))
        frame = self.frame[self.there].astype(np.int64)
        head[self.there] = frame
        blocks, which = np.unique(frame // _BLOCK, return_inverse=True)
        # What is alone in its block may be a piece of a huge page, but of one with no other here.
        several = np.flatnonzero(np.bincount(which) > 1) if self.mixed else blocks[:0]
        if not len(several):
            return head
        flags = np.zeros((len(blocks), _BLOCK), np.uint64)
        for i in several.tolist():
            found = os.pread(_files()[1], 8 * _BLOCK, 8 * _BLOCK * int(blocks[i]))
            # At the end of memory there are fewer.
            flags[i, : len(found) // 8] = np.frombuffer(found, np.uint64)
        tail = flags & _TAIL != 0
        starts = np.maximum.accumulate(np.where(tail, 0, np.arange(_BLOCK)), axis=1)
        place = frame % _BLOCK
        head[self.there] = blocks[which] * _BLOCK + np.where(
            tail[which, place], starts[which, place], place
        )
        return head
