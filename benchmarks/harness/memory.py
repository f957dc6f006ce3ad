"""Memory for the benchmarks: small pages, huge pages, and one block mapped repeatedly."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

import numpy as np

PAGE = mmap.PAGESIZE
# Python's default is MAP_SHARED, which gets no transparent huge pages.
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
MAP_NORESERVE, MAP_FIXED, MAP_POPULATE = 0x4000, 0x10, 0x8000
_THP = Path("/sys/kernel/mm/transparent_hugepage")


def huge_page_size() -> int:
    """Return the size of a transparent huge page, or 0 if this process cannot get one."""
    try:
        never = "[never]" in (_THP / "enabled").read_text()
        return 0 if never else int((_THP / "hpage_pmd_size").read_text())
    except FileNotFoundError:
        return 0


def mapped(nbytes: int, *, huge: bool = False, flags: int = PRIVATE) -> np.ndarray:
    """Return new, untouched memory as bytes, with huge pages only if `huge` is true."""
    memory = mmap.mmap(-1, nbytes, flags=flags)
    if huge_page_size():
        memory.madvise(mmap.MADV_HUGEPAGE if huge else mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, np.uint8)


def small_pages(nbytes: int) -> np.ndarray:
    """Return memory of present small pages, none of which is part of a huge page."""
    array = mapped(nbytes)
    array[::PAGE] = 1
    return array


def huge_pages(nbytes: int) -> np.ndarray:
    """Return memory of touched huge pages, rounded up to whole huge pages."""
    size = huge_page_size()
    nbytes = -(-nbytes // size) * size
    whole = mapped(nbytes + size, huge=True)
    start = -whole.ctypes.data % size
    array = whole[start : start + nbytes]
    array[::PAGE] = 1
    return array


def discard(array: np.ndarray) -> None:
    """Give the pages of an array back to the kernel; they are absent then."""
    libc = ctypes.CDLL(None, use_errno=True)
    where, length = ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(array.nbytes)
    if libc.madvise(where, length, mmap.MADV_DONTNEED):
        raise OSError(ctypes.get_errno(), "madvise(MADV_DONTNEED) failed")


def huge_bytes(array: np.ndarray) -> int:
    """Return the bytes in huge pages of the mapping that holds an array."""
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first = line.split(maxsplit=1)[0]
        if not first.endswith(":"):
            start, _, end = first.partition("-")
            inside = int(start, 16) <= array.ctypes.data < int(end, 16)
        elif inside and first == "AnonHugePages:":
            return int(line.split()[1]) * 1024
    return 0


def pages_of(array: np.ndarray, step: int = PAGE) -> np.ndarray:
    """Return the address of each page, or of every `step` bytes, of a page-aligned array."""
    start = array.ctypes.data
    return np.arange(start, start + array.nbytes, step, dtype=np.uintp)


def repeated(nbytes: int, window: int) -> np.ndarray:
    """Return present small pages that share `window` bytes of memory, mapped repeatedly."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [
        ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
    ]  # fmt: skip
    array = mapped(nbytes, flags=PRIVATE | MAP_NORESERVE)
    memory = os.memfd_create("movepages-benchmark")
    try:
        os.ftruncate(memory, window)
        flags = mmap.MAP_SHARED | MAP_FIXED | MAP_POPULATE
        for start in range(0, nbytes, window):
            length, place = min(window, nbytes - start), array.ctypes.data + start
            got = libc.mmap(place, length, mmap.PROT_READ | mmap.PROT_WRITE, flags, memory, 0)
            assert got == place, os.strerror(ctypes.get_errno())
    finally:
        os.close(memory)
    return array


def available_bytes() -> int:
    """Return how many bytes of memory can be allocated without swapping."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0
