"""Ask the kernel harmlessly what it allows this process.

Each system call is made separately and by number, on a private scratch mapping: nothing moves, no
policy changes, and no page of the caller is queried.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import struct
from dataclasses import dataclass
from typing import Any

from ..query.syscall import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL
from ..system.refusals import Refusal, keep_small

_GENERIC = (239, 236, 237, 235)
_NUMBERS = {
    "x86_64": (279, 239, 238, 237),
    "aarch64": _GENERIC,
    "loongarch64": _GENERIC,
    "riscv64": _GENERIC,
    "ppc64le": (301, 260, 261, 259),
    "s390x": (310, 269, 270, 268),
}
_MOVE_PAGES, _GET_MEMPOLICY, _SET_MEMPOLICY, _MBIND = range(4)

# include/uapi/linux/mempolicy.h
_MPOL_DEFAULT, _MPOL_BIND = 0, 2
_MPOL_F_NODE, _MPOL_F_ADDR, _MPOL_F_MEMS_ALLOWED = 1, 2, 4
_NO_SUCH_MODE = 0xFFF
_MAX_NODES = 1024  # NODES_SHIFT is at most 10; the calls read one bit less than told
_Mask = ctypes.c_uint64 * (_MAX_NODES // 64)

# include/uapi/linux/fs.h and Documentation/admin-guide/mm/pagemap.rst
_PAGEMAP_SCAN = 0xC0606610
_PAGE_IS_PRESENT = 1 << 3
_HUGE_PAGE = (1 << 55) - 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


@dataclass(frozen=True)
class Answers:
    """The errno of each system call: 0 for success, None for a call that could not be made."""

    query: int | None
    move: int | None
    move_all: int | None
    get_mempolicy: int | None
    set_mempolicy: int | None
    mbind: int | None
    pagemap: int | None
    scan: int | None
    frames_shown: bool


def ask() -> Answers:
    """Make all system calls and return their answers."""
    size = mmap.PAGESIZE
    # Not closed here: if a signal handler raises, the exception keeps `held` alive, and closing
    # would be a BufferError. The mapping ends with its last reference.
    scratch = mmap.mmap(-1, 2 * size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    # The kernel may merge it with a neighbouring mapping; a huge page could then cover both.
    keep_small(scratch)
    scratch[0] = 1
    held = ctypes.c_char.from_buffer(scratch)
    page = ctypes.addressof(held)
    return _ask_about(page, page + size)


def _ask_about(page: int, untouched: int) -> Answers:
    address, status = ctypes.c_void_p(page), ctypes.c_int(-1)
    pages, found = ctypes.byref(address), ctypes.byref(status)
    query = _call(_MOVE_PAGES, 0, 1, pages, None, found, MPOL_MF_MOVE)
    # Move the page to its own node. If the query failed, move no page at all.
    count = 1 if query == 0 and status.value >= 0 else 0
    here = ctypes.byref(ctypes.c_int(status.value))
    move = _call(_MOVE_PAGES, 0, count, pages, here, found, MPOL_MF_MOVE)
    move_all = _call(_MOVE_PAGES, 0, 0, None, None, None, MPOL_MF_MOVE_ALL)
    node, mask = ctypes.c_int(), _Mask()
    how = _MPOL_F_NODE | _MPOL_F_ADDR
    located = _call(_GET_MEMPOLICY, ctypes.byref(node), None, 0, page, how)
    allowed = _call(_GET_MEMPOLICY, None, mask, _MAX_NODES + 1, 0, _MPOL_F_MEMS_ALLOWED)
    if any(mask):
        mbind = _call(_MBIND, untouched, mmap.PAGESIZE, _MPOL_BIND, mask, _MAX_NODES + 1, 0)
    else:
        mbind = _call(_MBIND, untouched, mmap.PAGESIZE, _MPOL_DEFAULT, None, 0, 0)
    # Setting the current policy again would restart interleaving, so pass a mode that does not
    # exist: the kernel answers EINVAL and changes nothing; a filter answers another errno.
    policy = _call(_SET_MEMPOLICY, _NO_SUCH_MODE, None, 0)
    pagemap, scan, frames_shown = _ask_pagemap(page)
    return Answers(
        query=query,
        move=move,
        move_all=move_all,
        get_mempolicy=located or allowed,
        set_mempolicy=0 if policy == errno.EINVAL else policy,
        mbind=mbind,
        pagemap=pagemap,
        scan=scan,
        frames_shown=frames_shown,
    )


def _call(which: int, *arguments: Any) -> int | None:
    """Make a system call and return 0 or its errno; None if its number is not known."""
    numbers = _NUMBERS.get(platform.machine())
    # A 32-bit program uses other numbers than the 64-bit machine it runs on.
    if numbers is None or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    words = (ctypes.c_long(each) if isinstance(each, int) else each for each in arguments)
    failed = _libc.syscall(ctypes.c_long(numbers[which]), *words) < 0
    return ctypes.get_errno() if failed else 0


def _ask_pagemap(page: int) -> tuple[int, int, bool]:
    """Return the errno of reading, that of scanning, and whether frame numbers are shown."""
    with Refusal() as opened:
        descriptor = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    if opened.error:
        return opened.code, opened.code, False
    try:
        entry = 0
        with Refusal(struct.error) as read:
            (entry,) = struct.unpack("=Q", os.pread(descriptor, 8, page // mmap.PAGESIZE * 8))
        region = (ctypes.c_uint64 * 3)()
        # struct pm_scan_arg: size, flags, start, end, walk_end, vec, vec_len, max_pages, and masks
        # of categories: inverted, all of, any of, to return.
        question = struct.pack(
            "=12Q", 96, 0, page, page + mmap.PAGESIZE, 0, ctypes.addressof(region), 1, 0,
            0, _PAGE_IS_PRESENT, 0, _PAGE_IS_PRESENT,
        )  # fmt: skip
        with Refusal() as scan:
            fcntl.ioctl(descriptor, _PAGEMAP_SCAN, bytearray(question))
        return read.code, scan.code, entry & _HUGE_PAGE != 0
    finally:
        os.close(descriptor)
