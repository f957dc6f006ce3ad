"""The mappings of a process, from /proc/PID/maps: where something is mapped, and what."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from ._core import read_file
from .intervals import Intervals

# Pages of these are of a device or of the kernel itself, unless they are named here.
_DEVICES = (b"/dev/", b"/proc/", b"/sys/", b"/dmabuf:", b"anon_inode:", b"[vv", b"[vsyscall]")
_MEMORY = (b"/dev/zero", b"/dev/shm/", b"/dev/hugepages")


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


def read_mappings(pid: int) -> Intervals | None:
    """Read the mappings of a process, 0 being this one; None where it may not be looked at."""
    try:
        text = read_file(f"/proc/{pid or 'self'}/maps")
    except OSError:
        return None
    # Of a process that has just ended it is empty.
    return parse_maps(text) if text else None
