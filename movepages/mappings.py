"""The mappings of a process, from /proc/PID/maps: where something is mapped, and what."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ._core import read_file

# Pages of these are of a device or of the kernel itself, unless they are named here.
_DEVICES = (b"/dev/", b"/proc/", b"/sys/", b"/dmabuf:", b"anon_inode:", b"[vv", b"[vsyscall]")
_MEMORY = (b"/dev/zero", b"/dev/shm/", b"/dev/hugepages")


class Backing(IntEnum):
    """What is mapped at an address."""

    NOTHING = 0
    PRIVATE = 1  # anonymous memory of this process alone
    OTHER = 2  # a file, or memory shared with others
    DEVICE = 3  # a device, or the kernel


class Mappings(NamedTuple):
    """Mappings in address order.

    Attributes
    ----------
    edges : ndarray of uintp
        Start and end of each in turn.
    backing : ndarray of uint8
        What each is of, a `Backing`.
    """

    edges: npt.NDArray[np.uintp]
    backing: npt.NDArray[np.uint8]

    def cut(
        self, starts: npt.NDArray[np.uintp], ends: npt.NDArray[np.uintp]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uintp], npt.NDArray[np.uintp]]:
        """Cut ranges where a mapping begins or ends: index of the range, start and end of each."""
        first = np.searchsorted(self.edges, starts, "right")
        last = np.searchsorted(self.edges, ends, "left")
        counts = np.maximum(last - first, 0) + 1
        which = np.repeat(np.arange(len(starts)), counts)
        within = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        edges = np.append(self.edges, np.uintp(0))
        edge = first[which] + within
        begin = np.where(within == 0, starts[which], edges[edge - 1])
        end = np.where(
            within + 1 == counts[which], ends[which], edges[np.minimum(edge, last[which])]
        )
        real = end > begin
        return which[real], begin[real], end[real]

    def at(self, addresses: npt.NDArray[np.uintp]) -> npt.NDArray[np.uint8]:
        """Tell what is mapped at addresses, as `Backing`."""
        position = np.searchsorted(self.edges, addresses, "right")
        backing = np.append(self.backing, np.uint8(Backing.NOTHING))
        found = backing[np.minimum(position // 2, len(self.backing))]
        return np.where(position % 2 == 1, found, np.uint8(Backing.NOTHING))


def parse_maps(text: bytes) -> Mappings:
    """Return the mappings that a file /proc/PID/maps lists."""
    edges: list[int] = []
    backing: list[int] = []
    # The name of a file may hold anything but a newline, which the kernel escapes.
    for line in text.split(b"\n")[:-1]:
        addresses, permissions, _, _, inode, *path = line.split(maxsplit=5)
        edges += (int(edge, 16) for edge in addresses.split(b"-"))
        backing.append(_backing(permissions, inode, path[0] if path else b""))
    return Mappings(np.array(edges, np.uintp), np.array(backing, np.uint8))


def _backing(permissions: bytes, inode: bytes, name: bytes) -> Backing:
    if name.startswith(_DEVICES) and not name.startswith(_MEMORY):
        return Backing.DEVICE
    return Backing.PRIVATE if permissions.endswith(b"p") and inode == b"0" else Backing.OTHER


def read_mappings(pid: int) -> Mappings | None:
    """Read the mappings of a process, 0 being this one; None where it may not be looked at."""
    try:
        text = read_file(f"/proc/{pid or 'self'}/maps")
    except OSError:
        return None
    # Of a process that has just ended it is empty.
    return parse_maps(text) if text else None
