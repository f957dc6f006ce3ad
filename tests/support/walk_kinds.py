"""The areas of a random walk: one for each kind of memory that is possible here."""

import contextlib
import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from . import memory
from .kinds_base import CannotMakeError, advise
from .kinds_kernel import KSM_SECONDS, hugetlb_pools, settings
from .memory import PAGE
from .walk_areas import Area
from .walk_looks import Look

_THP = Path("/sys/kernel/mm/transparent_hugepage")
_KSM = Path("/sys/kernel/mm/ksm")
_KIB = 1 << 10
_MAP_HUGETLB = 0x40000
_MADV_MERGEABLE = 12

# A maker takes a name, a window of addresses and a node; the stack undoes what it did.
Making = Callable[[contextlib.ExitStack, str, int, int], Area]
AREAS: dict[str, Making] = {}


def _enter(function: Making) -> Making:
    AREAS[function.__name__.strip("_").replace("_", " ")] = function
    return function


def _filled(area: Area, stack: contextlib.ExitStack, node: int, advice: int | None) -> Area:
    stack.callback(area.close)
    if advice is not None:
        with contextlib.suppress(OSError):
            advise(area.array, advice)
    area.fill(node)
    # The area stays as it is: khugepaged makes no huge pages of it during the walk.
    with contextlib.suppress(OSError):
        advise(area.array, mmap.MADV_NOHUGEPAGE)
    return area


@_enter
def small(stack: contextlib.ExitStack, name: str, window: int, node: int) -> Area:
    area = Area(name, window, 300 * PAGE)
    area.mixed = False
    return _filled(area, stack, node, mmap.MADV_NOHUGEPAGE)


@_enter
def huge(stack: contextlib.ExitStack, name: str, window: int, node: int) -> Area:
    if not memory.huge_page_size():
        raise CannotMakeError("no transparent huge pages")
    area = Area(name, window, 2 * memory.huge_page_size() + 64 * PAGE)
    return _filled(area, stack, node, mmap.MADV_HUGEPAGE)


@_enter
def sized(stack: contextlib.ExitStack, name: str, window: int, node: int) -> Area:
    """mTHP: folios of 64 KiB and of 256 KiB."""
    area = Area(name, window, 1024 * _KIB)
    stack.callback(area.close)
    for size, half in (
        (64, area.part(0, area.pages // 2)),
        (256, area.part(area.pages // 2, area.pages)),
    ):
        enabled = _THP / f"hugepages-{size}kB/enabled"
        if not enabled.exists():
            raise CannotMakeError(f"no {enabled}")
        memory.bind(half, node)
        advise(half, mmap.MADV_HUGEPAGE)
        with settings({enabled: "madvise"}):
            half[:] = 1
        heads = Look(half).folios()
        if len(set(heads.tolist())) != half.nbytes // (size * _KIB):
            raise CannotMakeError(f"the kernel gave no pages of {size} KiB")
    area.fill(node)
    advise(area.array, mmap.MADV_NOHUGEPAGE)
    return area


@_enter
def huge_of_shmem(stack: contextlib.ExitStack, name: str, window: int, node: int) -> Area:
    if not memory.huge_page_size():
        raise CannotMakeError("no transparent huge pages")
    stack.enter_context(settings({_THP / "shmem_enabled": "advise"}))
    area = _of_memfd(stack, name, window, memory.huge_page_size())
    return _filled(area, stack, node, mmap.MADV_HUGEPAGE)


def _of_memfd(stack: contextlib.ExitStack, name: str, window: int, nbytes: int) -> Area:
    fd = os.memfd_create("movepages-walk")
    stack.callback(os.close, fd)
    os.ftruncate(fd, nbytes)
    return Area(name, window, nbytes, fd=fd)


@_enter
def of_a_file(stack: contextlib.ExitStack, name: str, window: int, node: int) -> Area:
    area = _of_memfd(stack, name, window, 200 * PAGE)
    return _filled(area, stack, node, None)


@_enter
def mapped_twice(stack: contextlib.ExitStack, name: str, window: int, node: int) -> Area:
    """A part of it is mapped at other addresses, too."""
    area = _filled(_of_memfd(stack, name, window, 160 * PAGE), stack, node, None)
    other = mmap.mmap(area.fd, 80 * PAGE)
    seen = np.frombuffer(other, np.uint8)[::PAGE].copy()
    assert np.array_equal(seen, area.array[: 80 * PAGE : PAGE])
    area.kept = other
    return area


@_enter
def merged(stack: contextlib.ExitStack, name: str, window: int, node: int) -> Area:
    """KSM merges every other run of eight pages."""
    area = _filled(Area(name, window, 128 * PAGE), stack, node, mmap.MADV_NOHUGEPAGE)
    area.mixed = False
    for array in (area.array, area.shadow):
        array.reshape(-1, 8, PAGE)[::2] = np.arange(PAGE, dtype=np.uint16).view(np.uint8)[:PAGE]
    alike = np.arange(area.pages) // 8 % 2 == 0
    try:
        advise(area.array, _MADV_MERGEABLE)
    except OSError as error:
        raise CannotMakeError(f"MADV_MERGEABLE: {error}") from error
    haste = {"pages_to_scan": "1000", "sleep_millisecs": "1", "run": "1"}
    with settings({_KSM / key: value for key, value in haste.items()}):
        until = time.monotonic() + KSM_SECONDS
        while len(set(Look(area.array).frame[alike].tolist())) > 1:
            if time.monotonic() > until:
                raise CannotMakeError(f"KSM merged nothing within {KSM_SECONDS} s")
            time.sleep(0.05)
        # Merged pages stay merged, and no others are merged.
        (_KSM / "run").write_text("0")
    return area


@_enter
def hugetlb(stack: contextlib.ExitStack, name: str, window: int, node: int) -> Area:
    size = stack.enter_context(hugetlb_pools(node))
    area = Area(name, window, size, flags=_MAP_HUGETLB)
    area.whole = size // PAGE
    return _filled(area, stack, node, None)
