"""The mappings of a process, from /proc/PID/maps: where something is mapped, and what."""

from __future__ import annotations

from enum import IntEnum

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


def parse_maps(text: bytes) -> Intervals:
    """Return the mappings that a file /proc/PID/maps lists, and the `Backing` of each."""
    edges: list[int] = []
    backing: list[int] = []
    # The name of a file may hold anything but a newline, which the kernel escapes.
    for line in text.split(b"\n")[:-1]:
        addresses, permissions, _, _, inode, *path = line.split(maxsplit=5)
        edges += (int(edge, 16) for edge in addresses.split(b"-"))
        backing.append(_backing(permissions, inode, path[0] if path else b""))
    return Intervals(np.array(edges, np.uintp), np.array(backing, np.uint8))


def _backing(permissions: bytes, inode: bytes, name: bytes) -> Backing:
    if name.startswith(_DEVICES) and not name.startswith(_MEMORY):
        return Backing.DEVICE
    return Backing.PRIVATE if permissions.endswith(b"p") and inode == b"0" else Backing.OTHER


def read_mappings(pid: int) -> Intervals | None:
    """Read the mappings of a process, 0 being this one; None where it may not be looked at."""
    try:
        text = read_file(f"/proc/{pid or 'self'}/maps")
    except OSError:
        return None
    # Of a process that has just ended it is empty.
    return parse_maps(text) if text else None
