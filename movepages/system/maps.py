"""The mappings of a process, from /proc/PID/maps: where each one is and what backs it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from enum import IntEnum
from typing import Any, NamedTuple, TypeVar

import numpy as np

from .intervals import Intervals
from .refusals import read_if_told

# Mappings with these names belong to a device or to the kernel, unless _MEMORY lists them.
_DEVICES = (b"/dev/", b"/proc/", b"/sys/", b"/dmabuf:", b"anon_inode:", b"[vv", b"[vsyscall]")
_MEMORY = (b"/dev/zero", b"/dev/shm/", b"/dev/hugepages")

# A tuple that begins with the start of a mapping.
_Line = TypeVar("_Line", bound=tuple[Any, ...])


class Backing(IntEnum):
    """What backs an address."""

    NOTHING = 0
    PRIVATE = 1  # anonymous memory of this process alone
    OTHER = 2  # a file, or memory shared with others
    DEVICE = 3  # a device, or the kernel


class Mapping(NamedTuple):
    """One line of /proc/PID/maps."""

    start: int
    end: int
    permissions: bytes
    device: bytes
    inode: int
    name: bytes

    @property
    def backing(self) -> Backing:
        """What backs the mapping."""
        if self.name.startswith(_DEVICES) and not self.name.startswith(_MEMORY):
            return Backing.DEVICE
        private = self.permissions.endswith(b"p") and self.inode == 0
        return Backing.PRIVATE if private else Backing.OTHER


def parse_lines(text: bytes) -> list[Mapping]:
    """Parse the text of /proc/PID/maps into mappings that do not overlap, in address order."""
    found: list[Mapping] = []
    # Split at newlines alone: a file name may contain any other byte, and newlines are escaped.
    for line in text.split(b"\n")[:-1]:
        addresses, permissions, _, device, inode, *name = line.split(maxsplit=5)
        start, end = (int(edge, 16) for edge in addresses.split(b"-"))
        drop_repeated(found, start)
        if found and found[-1].end > start:
            found[-1] = found[-1]._replace(end=start)
        found.append(Mapping(start, end, permissions, device, int(inode), b"".join(name)))
    return found


def drop_repeated(found: list[_Line], start: int) -> None:
    """Drop the mappings found so far that a line about a mapping from `start` on repeats.

    If a mapping merges with its neighbours while a file in /proc/PID is read, a line may repeat
    addresses of the lines before it. The later line counts.
    """
    while found and found[-1][0] >= start:
        found.pop()


def parse_maps(text: bytes) -> Intervals:
    """Parse the text of /proc/PID/maps into intervals, each with its `Backing`."""
    lines = parse_lines(text)
    edges = [edge for line in lines for edge in (line.start, line.end)]
    return Intervals(
        np.array(edges, np.uintp), np.array([line.backing for line in lines], np.uint8)
    )


def read_mappings(pid: int, first: int = 0, last: int = 1 << 64) -> Intervals | None:
    """Read the mappings of a process (0: this one); None if they cannot be read.

    Mappings without a byte in [`first`, `last`) may be left out.
    """
    text = read_if_told(pid, "maps")
    # The file of a process that has just exited is empty.
    return parse_maps(_lines_within(text, first, last)) if text else None


def _lines_within(text: bytes, first: int, last: int) -> bytes:
    # A query needs few of possibly thousands of mappings, and parsing a line takes 8 us.
    lines = text.split(b"\n")[:-1]
    begin = bisect_right(lines, first, key=lambda line: _edge(line, 1))
    end = bisect_left(lines, last, key=lambda line: _edge(line, 0))
    return b"".join(line + b"\n" for line in lines[begin:end])


def _edge(line: bytes, which: int) -> int:
    return int(line.split(b" ", 1)[0].split(b"-")[which], 16)
