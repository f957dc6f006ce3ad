"""Where pages are, from sources that the package does not use for its own answers."""

import ctypes
import mmap
import os
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from . import system
from .system import MPOL_F_ADDR, MPOL_F_NODE, SYS_GET_MEMPOLICY, SYS_MOVE_PAGES, libc

# A prototype avoids a conversion per argument and call, because guests are slow.
_get_mempolicy = ctypes.CFUNCTYPE(
    ctypes.c_long, *(ctypes.c_long, ctypes.c_void_p) * 2, ctypes.c_void_p, ctypes.c_ulong,
    use_errno=True,
)(("syscall", libc))  # fmt: skip

_PRESENT = 1 << 63


def node_of(address: int) -> int:
    """Return the node of the page at an address of this process.

    This calls get_mempolicy(2), which faults in an absent page: call `present` first where that
    matters. It raises OSError where nothing is mapped or the page cannot be read.
    """
    return int(nodes_of([address])[0])


def nodes_of(addresses: Iterable[int]) -> np.ndarray:
    """Return the node of each page as int32, as `node_of` does."""
    node = ctypes.c_int()
    where, how = ctypes.addressof(node), MPOL_F_NODE | MPOL_F_ADDR
    found = []
    for address in np.asarray(addresses, np.uintp).tolist():
        if _get_mempolicy(SYS_GET_MEMPOLICY, where, 0, None, address, how) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"{os.strerror(number)}: get_mempolicy of {address:#x}")
        found.append(node.value)
    return np.array(found, np.int32)


def nodes_at_once(addresses: Iterable[int]) -> np.ndarray:
    """Return the node of each present page as int32, from one bare system call for all.

    `nodes_of` takes too long in a guest for tens of thousands of pages. It checks one page in 64,
    and must agree.
    """
    pages = np.ascontiguousarray(addresses, np.uintp)
    status = np.full(len(pages), -1000, np.int32)
    system.syscall(SYS_MOVE_PAGES, 0, len(pages), pages.ctypes.data, None, status.ctypes.data, 2)
    # A page that compaction is moving within its node has no status at that moment.
    absent = np.flatnonzero(status < 0)
    status[absent] = nodes_of(pages[absent])
    sample = nodes_of(pages[::64])
    assert status[::64].tolist() == sample.tolist()
    return status


def present(addresses: Iterable[int], pid: int | str = "self") -> np.ndarray:
    """Return whether each page is in memory, from /proc/PID/pagemap; touches no page."""
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
        words = [
            struct.unpack("=Q", os.pread(pagemap.fileno(), 8, 8 * (address // mmap.PAGESIZE)))[0]
            for address in np.asarray(addresses, np.uintp).tolist()
        ]
    return np.array([bool(word & _PRESENT) for word in words])


def flags_of(address: int, pid: int | str = "self") -> frozenset[str]:
    """Return the flags of the mapping that begins at an address, as smaps abbreviates them."""
    inside = False
    for line in Path(f"/proc/{pid}/smaps").read_text(errors="replace").splitlines():
        if line.startswith("VmFlags:") and inside:
            return frozenset(line.split()[1:])
        if re.match("[0-9a-f]+-", line):
            inside = int(line.partition("-")[0], 16) == address
    raise LookupError(f"no mapping begins at {address:#x}")


@dataclass
class Mapping:
    """One line of /proc/PID/numa_maps."""

    start: int
    policy: str
    page_size: int = 0
    nodes: dict[int, int] = field(default_factory=dict)


def numa_maps(pid: int | str = "self") -> dict[int, Mapping]:
    """Return what numa_maps says of each mapping, by start address.

    ``nodes`` counts pages of ``page_size`` bytes by node. Where no page is present it is empty, and
    ``page_size`` is 0.
    """
    mappings = {}
    for line in Path(f"/proc/{pid}/numa_maps").read_text().splitlines():
        start, policy, *words = line.split()
        mapping = mappings[int(start, 16)] = Mapping(int(start, 16), policy)
        for word in words:
            name, _, value = word.partition("=")
            if name == "kernelpagesize_kB":
                mapping.page_size = int(value) * 1024
            elif name[0] == "N" and name[1:].isdecimal():
                mapping.nodes[int(name[1:])] = int(value)
    return mappings


def pages_per_node(array: np.ndarray, pid: int | str = "self") -> dict[int, int]:
    """Return how many pages of an array are on each node, by numa_maps, for any process.

    The array must span whole mappings, as those of `support.memory` do. Only its addresses are
    used: with a `pid`, the pages counted are those of that process there.
    """
    first, last = array.ctypes.data, array.ctypes.data + array.nbytes
    total: dict[int, int] = {}
    for mapping in numa_maps(pid).values():
        if first <= mapping.start < last:
            for node, count in mapping.nodes.items():
                total[node] = total.get(node, 0) + count
    return total


def huge_bytes(array: np.ndarray, pid: int | str = "self") -> int:
    """Return how many bytes of anonymous memory of an array are in transparent huge pages."""
    first, last = array.ctypes.data, array.ctypes.data + array.nbytes
    total, inside = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head = line.partition(" ")[0]
        if not head.endswith(":"):
            inside = first <= int(head.partition("-")[0], 16) < last
        elif inside and head == "AnonHugePages:":
            total += int(line.split()[1]) * 1024
    return total
