"""Memory with a known place and page size, set up without the package."""

import contextlib
import ctypes
import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from . import nodes, system, witness

PAGE = mmap.PAGESIZE
# Nothing is mapped for TiBs around this address. The kernel chooses far higher ones for mappings,
# and a Python that is no position-independent executable, as Debian's, has memory below 1 GiB.
UNMAPPED = 0x3000_0000_0000
# No process has memory here or above: x86-64 gives at most 47 bits unasked, arm64 48 or 52.
USER_END = 1 << 52
_THP = Path("/sys/kernel/mm/transparent_hugepage")
_PROT_NONE = 0
_MAP_FIXED_NOREPLACE = 0x100000
_TRIES = 5


def huge_page_size() -> int:
    """Return the size of a transparent huge page, or 0 where a process cannot have one."""
    try:
        never = "[never]" in (_THP / "enabled").read_text()
        return 0 if never else int((_THP / "hpage_pmd_size").read_text())
    except FileNotFoundError:
        return 0


def hugetlb_page_size() -> int:
    """Return the size of a page of hugetlbfs that is given unasked: 2 MiB with pages of 4 KiB."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("Hugepagesize:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no Hugepagesize in /proc/meminfo")


def anonymous(
    nbytes: int, node: int | None = None, *, shared: bool = False, huge: bool = False
) -> np.ndarray:
    """Return fresh anonymous memory as a page-aligned array of uint8, freed with the array.

    Parameters
    ----------
    nbytes : int
        Size, rounded up to whole pages.
    node : int, optional
        Node to bind the memory to and to touch it on. Without it no page is touched.
    shared : bool, default False
        Map it MAP_SHARED, so that a child process has the same pages instead of copies.
    huge : bool, default False
        Align it to huge pages and ask for them. Otherwise the kernel is asked for small pages.
    """
    unit = huge_page_size() if huge else PAGE
    if not unit:
        raise ValueError("no transparent huge pages here: see huge_page_size()")
    nbytes = -(-nbytes // unit) * unit
    # A guard on both sides keeps the kernel from merging this mapping with a neighbour.
    whole = mmap.mmap(
        -1,
        nbytes + 2 * unit,
        flags=(mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE) | mmap.MAP_ANONYMOUS,
    )
    # A kernel without huge pages does not know this advice.
    with contextlib.suppress(OSError):
        whole.madvise(mmap.MADV_HUGEPAGE if huge else mmap.MADV_NOHUGEPAGE)
    memory = np.frombuffer(whole, np.uint8)
    ahead = unit - memory.ctypes.data % unit
    array = memory[ahead : ahead + nbytes]
    _forbid(memory[:ahead])
    _forbid(memory[ahead + nbytes :])
    if node is not None:
        bind(array, node)
        (touch_huge if huge and not shared else touch)(array)
    return array


@contextlib.contextmanager
def apart(nbytes: int) -> Iterator[np.ndarray]:
    """Yield untouched anonymous memory. Parts of it may be unmapped within the block.

    It lies far below the addresses that the kernel chooses for mappings. No new mapping therefore
    reuses an unmapped part, and the rest can be unmapped by its address.
    """
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_FIXED_NOREPLACE
    prot = mmap.PROT_READ | mmap.PROT_WRITE
    address = system.libc.mmap(UNMAPPED, nbytes, prot, flags, -1, 0)
    assert address == UNMAPPED, f"mmap: {address:#x}, errno {ctypes.get_errno()}"
    try:
        array = np.ctypeslib.as_array((ctypes.c_uint8 * nbytes).from_address(address))
        with contextlib.suppress(OSError):
            system.succeed(system.libc.madvise(address, nbytes, mmap.MADV_NOHUGEPAGE))
        yield array
    finally:
        system.succeed(system.libc.munmap(address, nbytes))


def _forbid(array: np.ndarray) -> None:
    if array.nbytes:
        system.succeed(system.libc.mprotect(array.ctypes.data, array.nbytes, _PROT_NONE))


def pages_of(array: np.ndarray, step: int = PAGE) -> np.ndarray:
    """Return the address of each page that holds bytes of a contiguous array, as uintp."""
    first = array.ctypes.data // step * step
    return np.arange(first, array.ctypes.data + array.nbytes, step, dtype=np.uintp)


def bind(array: np.ndarray, *nodes: int) -> None:
    """Bind the pages of an array that are not allocated yet to these nodes, by mbind(2).

    If they do not fit there, the out-of-memory killer steps in. The policy also keeps automatic
    NUMA balancing away from the array.
    """
    mask = system.node_mask(*nodes)
    system.syscall(
        system.SYS_MBIND, array.ctypes.data, array.nbytes,
        system.MPOL_BIND, mask, system.MAX_NODES + 1, 0,
    )  # fmt: skip


def touch(array: np.ndarray) -> None:
    """Write one byte into every page of an array: its index modulo 251."""
    array[::PAGE] = np.arange(-(-array.nbytes // PAGE)) % 251


def touch_huge(array: np.ndarray) -> None:
    """Touch an untouched array, again while the kernel gives small pages instead of huge ones.

    It does so where the node's free memory is in pieces, as it may be late in a run.
    """
    touch(array)
    size = huge_page_size()
    for _ in range(_TRIES if size else 0):
        if witness.huge_bytes(array) >= array.nbytes // size * size:
            return
        discard(array)
        nodes.make_room()
        touch(array)


def discard(array: np.ndarray) -> None:
    """Free the pages of an array, as if they had never been touched."""
    advice = mmap.MADV_DONTNEED
    system.succeed(system.libc.madvise(array.ctypes.data, array.nbytes, advice))


def own_bytes() -> int:
    """Return the private memory of this process, by a walk through its page tables."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no Anonymous in /proc/self/smaps_rollup")


def keep_as_it_is(array: np.ndarray) -> None:
    """Keep khugepaged from making huge pages of small or absent ones; present huge pages stay."""
    system.succeed(system.libc.madvise(array.ctypes.data, array.nbytes, mmap.MADV_NOHUGEPAGE))
