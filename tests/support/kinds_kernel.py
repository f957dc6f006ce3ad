"""More kinds of pages: huge pages, pages of io_uring and of KSM, and the kernel's own."""

import contextlib
import ctypes
import mmap
import re
import struct
import time
from collections.abc import Iterator
from errno import EACCES, EBUSY, EFAULT
from pathlib import Path

import numpy as np

from . import kinds_frames as frames
from . import memory, system, witness
from .kinds_base import (
    COUNT,
    KERNEL,
    MOVES,
    NOTHING_THERE,
    PROT_RW,
    CannotMakeError,
    Kind,
    Maker,
    advise,
    by_policy,
    entering,
    fill,
    fresh,
    may_stay,
    stays,
)
from .memory import PAGE
from .pins import pinned

_SYS_IO_URING_SETUP, _SYS_IO_URING_REGISTER = 425, 427
_REGISTER_BUFFERS, _OFFSET_OF_SQES = 0, 0x10000000
_MADV_MERGEABLE = 12
_KSM = Path("/sys/kernel/mm/ksm")
# Only a kernel that never merges takes so long.
KSM_SECONDS = 120
_MAP_HUGETLB = 0x40000
_MAP_FAILED = ctypes.c_void_p(-1).value

MAKERS: dict[str, Maker] = {}
maker = entering(MAKERS)


@contextlib.contextmanager
def settings(values: dict[Path, str]) -> Iterator[None]:
    """Write files of /sys, and restore their contents afterwards."""
    before: dict[Path, str] = {}
    try:
        for path, value in values.items():
            before[path] = path.read_text()
            path.write_text(value)
    except OSError as error:
        _restore(before)
        raise CannotMakeError(str(error)) from error
    try:
        yield
    finally:
        _restore(before)


def _restore(before: dict[Path, str]) -> None:
    for path, text in before.items():
        # The file lists several words; brackets mark the one that was set.
        chosen = re.search(r"\[(.+)\]", text)
        path.write_text(chosen[1] if chosen else text)


@maker
def merged_by_ksm(node: int) -> Iterator[Kind]:
    """Identical pages, which KSM has merged into one."""
    array = fresh(node)
    array.reshape(-1, PAGE)[1:] = array[:PAGE]
    pages = memory.pages_of(array)
    haste = {"pages_to_scan": "1000", "sleep_millisecs": "1", "run": "1"}
    try:
        advise(array, _MADV_MERGEABLE)
    except OSError as error:
        raise CannotMakeError(f"MADV_MERGEABLE: {error}") from error
    with settings({_KSM / name: value for name, value in haste.items()}):
        until = time.monotonic() + KSM_SECONDS
        while len(set(frames.frames_of(pages).tolist())) > 1:
            if time.monotonic() > until:
                raise CannotMakeError(f"KSM merged nothing within {KSM_SECONDS} s")
            time.sleep(0.02)
        # Pages stay merged, but KSM no longer scans them, which would pin a page for a moment.
        (_KSM / "run").write_text("0")
        one = np.zeros(len(pages), int)
        # Before Linux 6.7, mbind(2) allocates the new page by the policy of the task.
        rule_all = may_stay(EBUSY) if by_policy() and KERNEL < (6, 7) else MOVES
        yield Kind(pages, rule=stays(EACCES), rule_all=rule_all, folios=one, data=array)


@contextlib.contextmanager
def _ring(entries: int) -> Iterator[int]:
    parameters = ctypes.create_string_buffer(120)
    try:
        fd = system.syscall(_SYS_IO_URING_SETUP, entries, parameters)
    except OSError as error:
        raise CannotMakeError(f"io_uring_setup: {error}") from error
    with open(fd, "r+b", buffering=0) as file:
        yield file.fileno()


@maker
def registered_with_io_uring(node: int) -> Iterator[Kind]:
    array = fresh(node)
    with _ring(1) as fd:
        buffer = struct.pack("@PN", array.ctypes.data, array.nbytes)
        system.syscall(_SYS_IO_URING_REGISTER, fd, _REGISTER_BUFFERS, buffer, 1)
        yield Kind(memory.pages_of(array), rule=stays(EBUSY), data=array)


@maker
def ring_of_io_uring(node: int) -> Iterator[Kind]:
    with _ring(COUNT * PAGE // 64) as fd:
        array = np.frombuffer(mmap.mmap(fd, COUNT * PAGE, offset=_OFFSET_OF_SQES), np.uint8)
        assert not array.any()
        yield Kind(memory.pages_of(array), rule=stays(EBUSY), data=array)


def _huge(node: int, count: int = 1) -> np.ndarray:
    size = memory.huge_page_size()
    if not size:
        raise CannotMakeError("no transparent huge pages for a process")
    array = memory.anonymous(count * size, huge=True)
    memory.bind(array, node)
    memory.touch_huge(array)
    fill(array)
    # The array keeps its huge pages, and khugepaged does not make new ones after a test's split.
    advise(array, mmap.MADV_NOHUGEPAGE)
    heads = frames.frames_of(memory.pages_of(array, size)) % (size // PAGE)
    if heads.any():
        raise CannotMakeError("the kernel gave no huge page")
    return array


@maker
def huge_pages(node: int) -> Iterator[Kind]:
    array = _huge(node, 2)
    pages = memory.pages_of(array)
    yield Kind(pages, folios=np.arange(len(pages)) * PAGE // memory.huge_page_size(), data=array)


@maker
def huge_page_pinned_in_part(node: int) -> Iterator[Kind]:
    array = _huge(node)
    pages = memory.pages_of(array)
    with pinned(pages[len(pages) // 3]):
        # Only a few of its pages, or this kind would outnumber all others.
        few = pages[:: len(pages) // 16]
        yield Kind(few, rule=stays(EBUSY), folios=np.zeros(len(few), int), data=array)


@contextlib.contextmanager
def hugetlb_pools(node: int) -> Iterator[int]:
    """Reserve two huge pages on each node; yield their size.

    Without one on `node`, a write would end the process.
    """
    size = memory.huge_page_size() or 1 << 21
    folder = Path("/sys/devices/system/node")
    count = f"hugepages/hugepages-{size // 1024}kB/nr_hugepages"
    pools = dict.fromkeys(folder.glob(f"node*/{count}"), "2")
    if not pools:
        raise CannotMakeError(f"no {folder}/node*/{count}")
    with settings(pools):
        if int((folder / f"node{node}" / count).read_text()) < 1:
            raise CannotMakeError(f"no free huge page on node {node}")
        yield size


@contextlib.contextmanager
def _hugetlb(node: int) -> Iterator[np.ndarray]:
    with hugetlb_pools(node) as size:
        address = system.libc.mmap(
            None, size, PROT_RW, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_HUGETLB, -1, 0
        )
        if address == _MAP_FAILED:
            raise CannotMakeError(f"MAP_HUGETLB: errno {ctypes.get_errno()}")
        # Unmap it before the pool shrinks again, or its page would stay for good.
        try:
            array = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))
            memory.bind(array, node)
            yield fill(array)
        finally:
            system.succeed(system.libc.munmap(address, size))


@maker
def hugetlb(node: int) -> Iterator[Kind]:
    with _hugetlb(node) as array:
        pages = memory.pages_of(array)[[0, 1, 100, 511]]
        # In some kernels it stays when the call names only a tail page.
        rule = may_stay(EACCES) if KERNEL < (6, 12) else MOVES
        yield Kind(pages, rule=rule, folios=np.zeros(len(pages), int), data=array)


def _special(name: str) -> np.ndarray:
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith(name):
            first, last = (int(word, 16) for word in line.split()[0].split("-"))
            return np.arange(first, last, PAGE, dtype=np.uintp)
    raise CannotMakeError(f"no {name} in /proc/self/maps")


@maker
def vdso(node: int) -> Iterator[Kind]:
    pages = _special("[vdso]")
    for page in pages.tolist():
        ctypes.string_at(page, 1)
    rule = may_stay(EBUSY, EACCES)
    yield Kind(pages, rule=rule, rule_all=may_stay(EBUSY))


@maker
def vvar(node: int) -> Iterator[Kind]:
    pages = _special("[vvar]")
    if "pf" in witness.flags_of(int(pages[0])):
        yield Kind(pages, absent=NOTHING_THERE)
        return
    # Newer kernels report a node for what is backed by a page; moves answer as if it had none.
    ctypes.string_at(int(pages[0]), 1)
    yield Kind(pages[:1], rule=stays(EFAULT), hidden=True, witnessed=False)


def _map_a_device() -> mmap.mmap:
    for path in sorted(Path("/sys/bus/pci/devices").glob("*/resource[0-9]")):
        with contextlib.suppress(OSError, ValueError), path.open("r+b", buffering=0) as file:
            return mmap.mmap(file.fileno(), PAGE)
    raise CannotMakeError("no PCI device whose memory can be mapped")


@maker
def device_memory(node: int) -> Iterator[Kind]:
    mapping = _map_a_device()
    address = np.frombuffer(mapping, np.uint8).ctypes.data
    yield Kind([address], absent=NOTHING_THERE)
