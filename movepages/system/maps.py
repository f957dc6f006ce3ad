"""The mappings of a process, from /proc/PID/maps: where something is mapped, and what."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from contextvars import ContextVar
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from .. import _core
from .intervals import Intervals
from .refusals import read_if_told

# Pages of these are of a device or of the kernel itself, unless they are named here.
_DEVICES = (b"/dev/", b"/proc/", b"/sys/", b"/dmabuf:", b"anon_inode:", b"[vv", b"[vsyscall]")
_MEMORY = (b"/dev/zero", b"/dev/shm/", b"/dev/hugepages")

_kept: ContextVar[tuple[int, Intervals | None] | None] = ContextVar("_kept", default=None)


class Backing(IntEnum):
    """What is mapped at an address."""

    NOTHING = 0
    PRIVATE = 1  # anonymous memory of this process alone
    OTHER = 2  # a file, or memory shared with others
    DEVICE = 3  # a device, or the kernel


class Mapping(NamedTuple):
    """A line of /proc/PID/maps."""

    start: int
    end: int
    permissions: bytes
    device: bytes
    inode: int
    name: bytes

    @property
    def backing(self) -> Backing:
        """What is behind it."""
        if self.name.startswith(_DEVICES) and not self.name.startswith(_MEMORY):
            return Backing.DEVICE
        private = self.permissions.endswith(b"p") and self.inode == 0
        return Backing.PRIVATE if private else Backing.OTHER


def parse_lines(text: bytes) -> list[Mapping]:
    """Return the mappings that a file /proc/PID/maps lists."""
    found = []
    # The name of a file may hold anything but a newline, which the kernel escapes.
    for line in text.split(b"\n")[:-1]:
        addresses, permissions, _, device, inode, *name = line.split(maxsplit=5)
        start, end = (int(edge, 16) for edge in addresses.split(b"-"))
        found.append(Mapping(start, end, permissions, device, int(inode), b"".join(name)))
    return found


def parse_maps(text: bytes) -> Intervals:
    """Return where the mappings that a file /proc/PID/maps lists are, and the `Backing` of each."""
    lines = parse_lines(text)
    edges = [edge for line in lines for edge in (line.start, line.end)]
    return Intervals(
        np.array(edges, np.uintp), np.array([line.backing for line in lines], np.uint8)
    )


def mappings_read_once(pid: int) -> _core.Setting:
    """Let `read_mappings` answer within with what the mappings of a process are now.

    For thousands of looks in a row, each of which would read thousands of lines. What it makes of
    memory that is mapped or unmapped meanwhile is why it is absent, never where it is.
    """
    # Not by a generator: a signal handler that raises after its `yield` leaves all later looks with
    # what was true then.
    return _core.Setting(_kept, (pid, read_mappings(pid)))


def read_mappings(pid: int, first: int = 0, last: int = 1 << 64) -> Intervals | None:
    """Read the mappings of a process, 0 being this one; None where it may not be looked at.

    Those that have no byte from `first` up to `last` may be left out.
    """
    kept = _kept.get()
    if kept and kept[0] == pid:
        return kept[1]
    text = read_if_told(pid, "maps")
    # Of a process that has just ended it is empty.
    return parse_maps(_lines_within(text, first, last)) if text else None


def _lines_within(text: bytes, first: int, last: int) -> bytes:
    # Of thousands of mappings few are asked for at a time, and a line takes 8 us to parse.
    lines = text.split(b"\n")[:-1]
    begin = bisect_right(lines, first, key=lambda line: _edge(line, 1))
    end = bisect_left(lines, last, key=lambda line: _edge(line, 0))
    return b"".join(line + b"\n" for line in lines[begin:end])


def _edge(line: bytes, which: int) -> int:
    return int(line.split(b" ", 1)[0].split(b"-")[which], 16)
