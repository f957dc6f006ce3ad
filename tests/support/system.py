"""System calls through ctypes, so that set-up and witness share no code with the package."""

import ctypes
import os
import platform
from collections.abc import Iterable

_MOVE_PAGES, _GET_MEMPOLICY, _SET_MEMPOLICY, _MBIND, _MIGRATE_PAGES = range(5)
_GENERIC = (239, 236, 237, 235, 238)
_NUMBERS = {
    "x86_64": (279, 239, 238, 237, 256),
    "aarch64": _GENERIC,
    "loongarch64": _GENERIC,
    "riscv64": _GENERIC,
    "ppc64le": (301, 260, 261, 259, 258),
    "s390x": (310, 269, 270, 268, 287),
}[platform.machine()]

SYS_MOVE_PAGES = _NUMBERS[_MOVE_PAGES]
SYS_GET_MEMPOLICY = _NUMBERS[_GET_MEMPOLICY]
SYS_SET_MEMPOLICY = _NUMBERS[_SET_MEMPOLICY]
SYS_MBIND = _NUMBERS[_MBIND]
SYS_MIGRATE_PAGES = _NUMBERS[_MIGRATE_PAGES]
SYS_SET_MEMPOLICY_HOME_NODE = 450

MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE, MPOL_LOCAL = range(5)
MPOL_F_NODE, MPOL_F_ADDR = 1, 2
# The kernel's own limit: NODES_SHIFT is at most 10. Calls that take a mask count one bit more.
MAX_NODES = 1024

# AddressSanitizer reserves most addresses, and its allocator maps and unmaps memory all the time.
SANITIZED = "asan" in os.environ.get("LD_PRELOAD", "")

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
libc.prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)
libc.mmap.restype = ctypes.c_void_p
libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)


def succeed(result: int) -> int:
    """Return the result of a libc function; raise OSError if it is -1."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def syscall(number: int, *arguments: object) -> int:
    """Make a system call by its number; raise OSError if it fails."""
    # ctypes would pass bare ints as C ints, with the bits above 31 undefined.
    words = (ctypes.c_long(each) if isinstance(each, int) else each for each in arguments)
    return succeed(libc.syscall(ctypes.c_long(number), *words))


def migrate(pid: int, away_from: Iterable[int], to: int) -> None:
    """Move the memory of a process off some nodes; pages that it shares may stay."""
    masks = node_mask(*away_from), node_mask(to)
    # The call returns how many pages it left, such as one that was in use for a moment.
    for _ in range(10):
        if not syscall(SYS_MIGRATE_PAGES, pid, MAX_NODES + 1, *masks):
            return


def node_mask(*nodes: int) -> ctypes.Array:
    """Return the nodes' bit mask for memory policy calls; its size there is MAX_NODES + 1."""
    word = 8 * ctypes.sizeof(ctypes.c_ulong)
    mask = (ctypes.c_ulong * (MAX_NODES // word))()
    for node in nodes:
        mask[node // word] |= 1 << node % word
    return mask
