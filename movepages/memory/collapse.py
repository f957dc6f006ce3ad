"""collapse(): huge pages made of small ones, and what kept others from becoming huge."""

from __future__ import annotations

import errno
import mmap
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .. import _core
from .._core import HUGE_PAGE_BYTES
from ..migration.folios import HugePages
from ..pages.arguments import Addresses
from ..results.outcome import make_error
from ..system.advice import MADV_COLLAPSE
from ..units import format_bytes
from .own_ranges import own_ranges

# So many take tens of milliseconds, after which a signal is heard.
_AT_ONCE = 16

_WHY = {
    errno.EINVAL: "no page is there, or the mapping cannot have huge pages",
    errno.EBUSY: "a page is pinned, locked by the kernel, or mapped by another process too",
    errno.EAGAIN: "a page was in use just then; the same call again may do it",
    errno.ENOMEM: "no node has enough free memory in one piece, or the memory cgroup is full",
}


@dataclass(frozen=True, kw_only=True)
class CollapseResult:
    """What became of memory that was to be in huge pages.

    ``collapsed + already_huge + outside + sum(failures.values()) == nbytes``.

    Attributes
    ----------
    nbytes : int
        Bytes of the pages that hold the array.
    collapsed : int
        Bytes that became huge.
    already_huge : int
        Bytes that were huge before. 0 before Linux 6.7, which does not tell: these are counted as
        collapsed.
    outside : int
        Bytes at the edges that fill no huge page.
    failures : mapping of int to int
        Bytes that did not become huge, by errno.

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
        """Whether all that can be in huge pages is."""
        return not self.failures

    def __str__(self) -> str:
        parts = [f"{format_bytes(self.collapsed)} became huge"]
        if self.already_huge:
            parts.append(f"{format_bytes(self.already_huge)} was huge already")
        if self.outside:
            parts.append(f"{format_bytes(self.outside)} at the edges fills no huge page")
        for code, nbytes in self.failures.items():
            name = errno.errorcode.get(code, str(code))
            why = _WHY.get(code, os.strerror(code))
            parts.append(f"{format_bytes(nbytes)} did not, {name}: {why}")
        return f"{format_bytes(self.nbytes)}: " + "; ".join(parts)


def collapse(a: object, *, progress: Callable[[int, int], object] | None = None) -> CollapseResult:
    """Join the small pages of `a` into huge pages now; contents and addresses stay the same.

    This is the way back from ``move(..., on_conflict="split")``. It also lifts the advice that
    keeps the kernel from making huge pages of this memory (MADV_NOHUGEPAGE).

    Parameters
    ----------
    a : ndarray, buffer or Region of this process
        Huge pages begin at multiples of their size; the edges of `a` that fill none stay small.
    progress : callable, optional
        Called as ``progress(bytes_done, bytes)`` after every few huge pages; returning False ends
        the call with a MovePagesCancelledError.

    Returns
    -------
    CollapseResult
        Bytes that became huge, and why others did not.

    Raises
    ------
    TypeError, ValueError
        `a` exposes no memory, or memory of another process.
    MovePagesError
        This kernel has no MADV_COLLAPSE, or `progress` ended the call.

    Notes
    -----
    Small pages on several nodes come together on the node that most of them are on. Absent pages
    among present ones get memory; where all are absent, nothing happens. Source: MADV_COLLAPSE of
    madvise(2), since Linux 6.1; ``hpage_collapse_find_target_node`` in the kernel's
    mm/khugepaged.c.

    Examples
    --------
    >>> r = collapse(np.ones(1 << 20))
    >>> r.collapsed + r.already_huge + r.outside + sum(r.failures.values()) == r.nbytes
    True
    """
    _refuse_without_collapse()
    ranges = own_ranges(a)
    total = sum(nbytes for _, nbytes in ranges)
    huge = HugePages(0)
    done = collapsed = already = 0
    failures: Counter[int] = Counter()
    inside = _count_huge_pages(ranges) * HUGE_PAGE_BYTES
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
        if progress is not None and progress(done, inside) is False:
            raise make_error(
                errno.ECANCELED,
                f"the progress callback returned False after {format_bytes(done)}; the same call "
                "again does the rest",
            )
    return CollapseResult(
        nbytes=total,
        collapsed=collapsed,
        already_huge=already,
        outside=total - inside,
        failures=dict(failures),
    )


def _count_huge_pages(ranges: list[tuple[int, int]]) -> int:
    return sum(max(_inside(start, nbytes)[1], 0) for start, nbytes in ranges)


def _inside(start: int, nbytes: int) -> tuple[int, int]:
    """Return the first huge page that lies in a range, and how many do."""
    first = -(-start // HUGE_PAGE_BYTES)
    return first * HUGE_PAGE_BYTES, (start + nbytes) // HUGE_PAGE_BYTES - first


def _huge_pages(ranges: list[tuple[int, int]]) -> Iterator[Addresses]:
    """Stream the huge pages that lie in ranges of pages, a few at a time."""
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
        # MADV_NOHUGEPAGE is a reason to refuse, as `splitting` leaves it.
        again = huge_pages[refused]
        _core.advise_each(again, HUGE_PAGE_BYTES, mmap.MADV_HUGEPAGE, 0)
        said[refused] = _core.advise_each(again, HUGE_PAGE_BYTES, MADV_COLLAPSE, 0)
    # The kernel also answers 0 for what it passed over.
    after = huge.now(huge_pages)
    if after is not None:
        said[(said == 0) & ~after] = errno.EAGAIN
    return said


def _refuse_without_collapse() -> None:
    """Find out whether the kernel knows the advice, by giving it for nothing at all."""
    if _core.advise_each(np.zeros(1, np.uintp), 0, MADV_COLLAPSE, 0)[0]:
        raise make_error(
            errno.ENOSYS,
            "this kernel cannot join pages on request: MADV_COLLAPSE came with Linux 6.1, and "
            "needs transparent huge pages compiled in",
        )
