"""The mappings of a process, from /proc/PID/maps: where something is mapped, and what."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

# Pages of these are of a device or of the kernel itself, unless they are named here.
_DEVICES = ("/dev/", "/proc/", "/sys/", "[vvar", "[vsyscall]")
_MEMORY = ("/dev/zero", "/dev/shm/", "/dev/hugepages/")


class Mappings(NamedTuple):
    """Mappings in address order.

    Attributes
    ----------
    edges : ndarray of uintp
        Start and end of each in turn.
    device : ndarray of bool
        Whether each is of a device, or of the kernel, rather than of memory.
    """

    edges: npt.NDArray[np.uintp]
    device: npt.NDArray[np.bool_]

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

    def at(
        self, addresses: npt.NDArray[np.uintp]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Tell whether addresses are mapped, and whether of a device."""
        position = np.searchsorted(self.edges, addresses, "right")
        mapped = position % 2 == 1
        device = np.append(self.device, False)[np.minimum(position // 2, len(self.device))]
        return mapped, mapped & device


def read_mappings(pid: int) -> Mappings | None:
    """Read the mappings of a process, 0 being this one; None where it may not be looked at."""
    try:
        text = Path(f"/proc/{pid or 'self'}/maps").read_text(errors="surrogateescape")
    except OSError:
        return None
    edges: list[int] = []
    device: list[bool] = []
    for line in text.splitlines():
        addresses, _, _, _, _, *path = line.split(maxsplit=5)
        edges += (int(edge, 16) for edge in addresses.split("-"))
        name = path[0] if path else ""
        device.append(name.startswith(_DEVICES) and not name.startswith(_MEMORY))
    return Mappings(np.array(edges, np.uintp), np.array(device, bool))
