"""Find the node of any page by its frame number, even where get_mempolicy(2) cannot.

Source: Documentation/admin-guide/mm/pagemap.rst and /sys/devices/system/node/nodeN/memoryM.
"""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from . import memory
from .memory import PAGE, USER_END

_PRESENT = np.uint64(1 << 63)
_FRAME_NUMBER = np.uint64((1 << 55) - 1)
_BLOCKS = Path("/sys/devices/system/memory/block_size_bytes")
ABSENT = -1


@cache
def _node_of_block() -> tuple[int, np.ndarray]:
    if not _BLOCKS.exists():
        pytest.skip(f"needs {_BLOCKS} to find the node of a page frame")
    size = int(_BLOCKS.read_text(), 16)
    found = {
        int(path.name[6:]): int(path.parent.name[4:])
        for path in Path("/sys/devices/system/node").glob("node[0-9]*/memory[0-9]*")
    }
    table = np.full(max(found) + 2, ABSENT, np.int32)
    table[list(found)] = list(found.values())
    return size // PAGE, table


class Frames:
    """Reads the frame numbers of the same pages repeatedly, at a few system calls each time."""

    def __init__(self, pages: np.ndarray, pid: int | str = "self") -> None:
        self._file = open(f"/proc/{pid}/pagemap", "rb", buffering=0)  # noqa: SIM115
        index = np.asarray(pages, np.uintp) // np.uintp(PAGE)
        self._readable = index < USER_END // PAGE
        distinct = np.unique(index[self._readable])
        cuts = np.flatnonzero(np.diff(distinct) > 1) + 1
        self._spans = [(int(p[0]), len(p)) for p in np.split(distinct, cuts) if len(p)]
        self._where = np.searchsorted(distinct, np.where(self._readable, index, distinct[0]))

    def read(self) -> np.ndarray:
        """Return the frame number of each page, 0 for an absent page."""
        fd = self._file.fileno()
        parts = [os.pread(fd, 8 * count, 8 * first) for first, count in self._spans]
        entries = np.frombuffer(b"".join(parts), np.uint64)[self._where]
        there = (entries & _PRESENT != 0) & self._readable
        return np.where(there, entries & _FRAME_NUMBER, np.uint64(0))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def frames_of(pages: np.ndarray, pid: int | str = "self") -> np.ndarray:
    """Return the frame number of each page, 0 for an absent page."""
    reader = Frames(pages, pid)
    try:
        return reader.read()
    finally:
        reader.close()


def nodes_of_frames(frames: np.ndarray) -> np.ndarray:
    """Return the node of each frame number as int32; `ABSENT` for 0."""
    per_block, table = _node_of_block()
    block = np.minimum(frames // np.uint64(per_block), len(table) - 1)
    return np.where(frames == 0, np.int32(ABSENT), table[block.astype(np.int64)])


def nodes_of(pages: np.ndarray, pid: int | str = "self") -> np.ndarray:
    """Return the node of each page as int32; `ABSENT` for an absent page."""
    return nodes_of_frames(frames_of(pages, pid))


def compacted() -> int:
    """Return the kernel's count of pages that it took to compact memory.

    Compaction moves any page within its node. The kernel does so while it looks for a huge page,
    such as the target of another one that moves.
    """
    for line in Path("/proc/vmstat").read_text().splitlines():
        if line.startswith("compact_isolated "):
            return int(line.split()[1])
    return 0


def zero_frame() -> int:
    """Return the frame number of the zero page, which is mapped where memory was only read."""
    fresh = memory.anonymous(PAGE)
    assert fresh[0] == 0
    return int(frames_of(memory.pages_of(fresh))[0])
