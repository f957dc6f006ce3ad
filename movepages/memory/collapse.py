"""Join small pages into huge pages, and report why others stay small: collapse()."""

from __future__ import annotations

import errno
import mmap
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .._core import HUGE_PAGE_BYTES
from ..migration.folios import HugePages
from ..migration.progress import ProgressOption, as_progress, drawing
from ..pages.arguments import Addresses
from ..pages.like import MemoryLike
from ..query.syscall import move_pages
from ..results.outcome import make_error
from ..results.plain import picked
from ..results.status import PageStatus
from ..system.advice import MADV_COLLAPSE
from ..system.log import info
from ..units import format_bytes
from .own_ranges import own_ranges

# Collapsing this many takes tens of milliseconds; signal handlers run between two calls.
_AT_ONCE = 16

_WHY = {
    errno.EINVAL: "no page is present, or the mapping cannot have huge pages",
    errno.EBUSY: "a page is pinned, locked by the kernel, or also mapped by another process",
    errno.EAGAIN: "a page was in use; calling again may succeed",
    errno.ENOMEM: "no node has enough contiguous free memory, or the memory cgroup is full",
}


@dataclass(frozen=True, kw_only=True)
class CollapseResult:
    """How many bytes `collapse` put into huge pages, and why others stayed in small pages.

    ``collapsed + already_huge + outside + sum(failures.values()) == nbytes``.

    Attributes
    ----------
    nbytes : int
        Bytes of the pages that hold the array.
    collapsed : int
        Bytes joined into huge pages by the call.
    already_huge : int
        Bytes that were in huge pages before. Kernels before Linux 6.7 do not report them: this is
        then 0, and these bytes count as collapsed.
    outside : int
        Bytes at both ends that do not fill a whole huge page.
    failures : mapping of int to int
        Bytes that stayed in small pages, by errno.

    Examples
    --------
    >>> r = CollapseResult(nbytes=4096, outside=4096)
    >>> r.ok
    True
    """

    nbytes: int
    collapsed: int = 0
    already_huge: int = 0
    outside: int = 0
    failures: Mapping[int, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether all of the memory is in huge pages; `outside` does not count."""
        return not self.failures

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`; sizes in bytes, failures by errno's name."""
        failures = {errno.errorcode.get(code, str(code)): n for code, n in self.failures.items()}
        return picked(self, "nbytes collapsed already_huge outside ok") | {"failures": failures}

    def __str__(self) -> str:
        parts = [f"{format_bytes(self.collapsed)} became huge"]
        if self.already_huge:
            parts.append(f"{format_bytes(self.already_huge)} was already huge")
        if self.outside:
            parts.append(f"{format_bytes(self.outside)} at the edges does not fill a huge page")
        for code, nbytes in self.failures.items():
            name = errno.errorcode.get(code, str(code))
            why = _WHY.get(code, os.strerror(code))
            parts.append(f"{format_bytes(nbytes)} stayed small, {name}: {why}")
        return f"{format_bytes(self.nbytes)}: " + "; ".join(parts)


def collapse(a: MemoryLike, *, progress: ProgressOption = None) -> CollapseResult:
    """Join the small pages of `a` into huge pages now; contents and addresses stay the same.

    This reverses the splitting of ``move(..., on_conflict="split")``. The kernel refuses to join
    pages in memory with the advice MADV_NOHUGEPAGE. The call then changes the advice to
    MADV_HUGEPAGE, and tries again.

    Parameters
    ----------
    a : object with memory
        As for `where`, with memory of this process. Huge pages begin at multiples of their size. At
        both ends of `a`, memory that does not fill a whole huge page stays in small pages.
    progress : callable or True, optional
        Called as ``progress(bytes_done, bytes)`` after every few huge pages. If it returns False,
        the call ends with a MovePagesCancelledError. True draws a progress bar, as for `move`.

    Returns
    -------
    CollapseResult
        The bytes joined into huge pages, and why others stayed small.

    Raises
    ------
    TypeError, ValueError
        `a` exposes no memory, or is memory of another process.
    MovePagesError
        This kernel has no MADV_COLLAPSE, or `progress` ended the call.

    Notes
    -----
    If the small pages to be joined are on several nodes, the huge page is allocated on the node
    that has most of these. Absent pages among present ones get memory. Where all pages are absent,
    nothing happens. Source: MADV_COLLAPSE of madvise(2), since Linux 6.1;
    ``hpage_collapse_find_target_node`` in the kernel's mm/khugepaged.c.

    Examples
    --------
    >>> r = collapse(np.ones(1 << 20))
    >>> r.collapsed + r.already_huge + r.outside + sum(r.failures.values()) == r.nbytes
    True
    """
    shown = as_progress(progress, 1)
    _refuse_without_collapse()
    ranges = own_ranges(a)
    total = sum(nbytes for _, nbytes in ranges)
    huge = HugePages(0)
    done = collapsed = already = 0
    failures: Counter[int] = Counter()
    inside = _count_huge_pages(ranges) * HUGE_PAGE_BYTES
    with drawing(shown):
        for some in _huge_pages(ranges):
            before = huge.now(some)
            small = some if before is None else some[~before]
            already += (len(some) - len(small)) * HUGE_PAGE_BYTES
            if len(small):
                said = _collapse_each(small, huge)
                collapsed += int(np.count_nonzero(said == 0)) * HUGE_PAGE_BYTES
                for code in said[said != 0].tolist():
                    failures[code] += HUGE_PAGE_BYTES
            done = collapsed + already + failures.total()
            if shown is not None and shown(done, inside) is False:
                raise make_error(
                    errno.ECANCELED,
                    f"the progress callback returned False after {format_bytes(done)}; call "
                    "again to do the rest",
                )
    result = CollapseResult(
        nbytes=total,
        collapsed=collapsed,
        already_huge=already,
        outside=total - inside,
        failures=dict(failures),
    )
    info("collapse: %s", result)
    return result


def _count_huge_pages(ranges: list[tuple[int, int]]) -> int:
    return sum(max(_inside(start, nbytes)[1], 0) for start, nbytes in ranges)


def _inside(start: int, nbytes: int) -> tuple[int, int]:
    """Return the address of the first huge page within a range, and their number."""
    first = -(-start // HUGE_PAGE_BYTES)
    return first * HUGE_PAGE_BYTES, (start + nbytes) // HUGE_PAGE_BYTES - first


def _huge_pages(ranges: list[tuple[int, int]]) -> Iterator[Addresses]:
    """Yield the addresses of the huge pages within ranges of pages, a few at a time."""
    for start, nbytes in ranges:
        first, count = _inside(start, nbytes)
        for low in range(0, count, _AT_ONCE):
            step = np.arange(low, min(low + _AT_ONCE, count), dtype=np.uintp)
            yield np.uintp(first) + step * np.uintp(HUGE_PAGE_BYTES)


def _collapse_each(huge_pages: Addresses, huge: HugePages) -> npt.NDArray[np.int32]:
    """Return the errno of each huge page, 0 for success."""
    said = _core.advise_each(huge_pages, HUGE_PAGE_BYTES, MADV_COLLAPSE, 0)
    refused = np.flatnonzero(said == errno.EINVAL)
    if len(refused):
        # The kernel also refuses memory with MADV_NOHUGEPAGE, which `splitting` sets.
        again = huge_pages[refused]
        _core.advise_each(again, HUGE_PAGE_BYTES, mmap.MADV_HUGEPAGE, 0)
        said[refused] = _core.advise_each(again, HUGE_PAGE_BYTES, MADV_COLLAPSE, 0)
    # The kernel also returns 0 for huge pages that it skipped.
    after = huge.now(huge_pages)
    if after is not None:
        skipped = np.flatnonzero((said == 0) & ~after)
        # Among them is the huge zero page, which has no memory to join.
        zero = move_pages(huge_pages[skipped]) == PageStatus.EFAULT.value
        said[skipped] = np.where(zero, errno.EINVAL, errno.EAGAIN)
    return said


def _refuse_without_collapse() -> None:
    """Raise if the kernel does not know MADV_COLLAPSE; advising an empty range shows it."""
    if _core.advise_each(np.zeros(1, np.uintp), 0, MADV_COLLAPSE, 0)[0]:
        raise make_error(
            errno.ENOSYS,
            "this kernel cannot join pages on request: MADV_COLLAPSE needs Linux 6.1 or later, "
            "with transparent huge pages compiled in",
        )
