"""Map anonymous memory with pages of a chosen size, on a chosen node."""

from __future__ import annotations

import errno
import mmap
from typing import Literal, SupportsIndex

import numpy as np

from .._core import HUGE_PAGE_BYTES, read_file
from ..results.outcome import make_error
from ..system.refusals import Refusal
from .kernel_turns import ANY_TURN, FirstTurn
from .policies import bind
from .populate import touch

Huge = Literal["thp", "hugetlb"] | None

_MAP_HUGETLB = 0x40000
_MAP_HUGE_SHIFT = 26


def map_memory(
    nbytes: int, huge: Huge, node: SupportsIndex | None, first: FirstTurn = ANY_TURN
) -> memoryview:
    """Map memory that shares no page with anything else, and bind all of it.

    Without huge pages, its first page has the turn `first`.
    """
    if huge not in (None, "thp", "hugetlb"):
        raise ValueError(f"huge: expected 'thp', 'hugetlb' or None, got {huge!r}")
    flags, unit = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PAGESIZE
    if huge == "hugetlb":
        unit = _default_hugetlb()
        flags |= _MAP_HUGETLB | unit.bit_length() - 1 << _MAP_HUGE_SHIFT
    size = max(-(-nbytes // unit), 1) * unit
    # Room to start at a multiple of the huge page size, as huge pages do, or with some turn.
    rooms = {"thp": HUGE_PAGE_BYTES, None: (first.nodes - 1) * unit}
    ahead = rooms.get(huge, 0)
    with Refusal(OverflowError) as refusal:
        whole = mmap.mmap(-1, size + ahead, flags=flags)
    if refusal.error:
        raise _no_mapping(refusal, size, huge) from refusal.error
    if node is not None:
        bind(whole, node)
    if huge == "hugetlb":
        # If the pool runs out of pages on this node, a later write would kill the process.
        touch(whole)
    address = np.frombuffer(whole, np.uint8).ctypes.data
    if huge != "thp":
        start = (first.turn - address // unit) % first.nodes * unit if ahead else 0
        return memoryview(whole)[start : start + nbytes]
    with Refusal() as refusal:
        whole.madvise(mmap.MADV_HUGEPAGE)
    if refusal.error:
        raise make_error(
            refusal.code, "this kernel has no transparent huge pages; use huge=None"
        ) from refusal.error
    start = -address % HUGE_PAGE_BYTES
    return memoryview(whole)[start : start + nbytes]


def _default_hugetlb() -> int:
    with Refusal():
        for line in read_file("/proc/meminfo").splitlines():
            if line.startswith(b"Hugepagesize:"):
                return int(line.split()[1]) * 1024
    return HUGE_PAGE_BYTES


def _no_mapping(refusal: Refusal, size: int, huge: Huge) -> Exception:
    code = errno.ENOMEM if isinstance(refusal.error, OverflowError) else refusal.code
    if huge != "hugetlb":
        return make_error(code, f"no address range of {size:,} bytes is free; see ulimit -v")
    return make_error(
        code,
        f"the hugetlb pool does not have {size:,} bytes free; reserve more huge pages "
        "(/proc/sys/vm/nr_hugepages), or use huge='thp'",
    )
