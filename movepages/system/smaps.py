"""Where huge pages are on kernels that do not say so themselves, before Linux 6.7."""

from __future__ import annotations

import mmap
import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .. import _core
from .._core import HUGE_PAGE_BYTES
from .intervals import Intervals
from .refusals import read_if_told

_HEAD = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) ")
_HUGETLB = (b"Shared_Hugetlb", b"Private_Hugetlb")
_MEMORY = (b"Rss", b"Swap", *_HUGETLB)
# Of so many the page tables are not read entry by entry, if it can be helped: it takes 0.2 s.
TOO_MANY_BYTES = mmap.PAGESIZE << 24
_MAPPED_HUGE = (b"AnonHugePages", b"ShmemPmdMapped", b"FilePmdMapped")


class Mapping(NamedTuple):
    """One mapping, and how many huge pages of it huge pages map."""

    start: int
    end: int
    huge: int


def parse_fields(text: bytes) -> Iterator[tuple[int, int, Counter[bytes]]]:
    """Yield start and end of each mapping, and its fields in bytes."""
    fields: Counter[bytes] = Counter()
    start = end = 0
    for line in [*text.split(b"\n"), b"0-0 "]:
        head = _HEAD.match(line)
        if head is None:
            name, _, value = line.partition(b":")
            if value.endswith(b" kB"):
                fields[name] = int(value[:-3]) * 1024
            continue
        if fields:
            yield start, end, fields
        start, end, fields = int(head[1], 16), int(head[2], 16), Counter()


def parse_smaps(text: bytes) -> list[Mapping]:
    """Return the mappings that hold huge pages."""
    return [
        Mapping(start, end, huge // HUGE_PAGE_BYTES)
        for start, end, fields in parse_fields(text)
        # hugetlbfs: whatever is mapped there is huge, and Rss does not count it.
        if (huge := sum(fields[name] for name in (*_MAPPED_HUGE, *_HUGETLB)))
    ]


def mappings_without_memory(pid: int) -> Intervals:
    """Return the mappings, of so many pages that it matters, that hold no memory at all.

    The page of zeros is not counted as memory. None are known where smaps may not be read.
    """
    edges = [
        edge
        for start, end, fields in parse_fields(read_if_told(pid, "smaps") or b"")
        if end - start >= TOO_MANY_BYTES and not any(fields[name] for name in _MEMORY)
        for edge in (start, end)
    ]
    return Intervals(np.array(edges, np.uintp), np.ones(len(edges) // 2, np.uint8))


class KnownHugePages:
    """Huge pages of a process, where /proc/PID/smaps makes them certain.

    A mapping tells how many huge pages it has, not where. A range can be a huge page only if all
    its pages are present. If as many ranges are full as there are huge pages, these are the huge
    pages. If more are full, none is certain, nor in a mapping too large to look through.

    Parameters
    ----------
    pid : int
        Whose; 0 for this process. It is looked at once, when first asked.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid

    @cached_property
    def huge_pages(self) -> npt.NDArray[np.uintp]:
        """Start of each, ascending; none where /proc/PID/smaps may not be read."""
        text = read_if_told(self._pid, "smaps") or b""
        parts = [self._of(mapping) for mapping in parse_smaps(text)]
        return np.concatenate([np.empty(0, np.uintp), *parts])

    def _of(self, mapping: Mapping) -> npt.NDArray[np.uintp]:
        first = -(-mapping.start // HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES
        end = mapping.end // HUGE_PAGE_BYTES * HUGE_PAGE_BYTES
        if first >= end or end - first > TOO_MANY_BYTES:
            return np.empty(0, np.uintp)
        full = full_huge_pages(first, end, self._pid)
        return full if len(full) == mapping.huge else full[:0]

    def hold(self, addresses: npt.NDArray[np.uintp]) -> npt.NDArray[np.bool_]:
        """Tell which addresses lie in these huge pages."""
        size = np.uintp(HUGE_PAGE_BYTES)
        return np.isin(addresses // size, self.huge_pages // size)


def full_huge_pages(start: int, end: int, pid: int) -> npt.NDArray[np.uintp]:
    """Return the ranges of a huge page's size between two addresses that have all their pages."""
    told = _core.presence(np.array([start], np.uintp), np.array([end], np.uintp), pid)
    if told is None:
        return np.empty(0, np.uintp)
    begin, until, kind = told[0].astype(np.int64), told[1].astype(np.int64), told[2]
    # Stretches of any kind of present page, joined.
    present = ("page", "page or zero", "own page")
    there = np.isin(kind, [_core.PRESENCE[name] for name in present])
    begin, until = begin[there], until[there]
    new = np.append(True, begin[1:] != until[:-1])[: len(begin)]
    begin, until = begin[new], until[np.append(new[1:], True)[: len(until)]]
    first, last = -(-begin // HUGE_PAGE_BYTES), until // HUGE_PAGE_BYTES
    counts = np.maximum(last - first, 0)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    huge_pages: npt.NDArray[np.uintp] = (np.repeat(first, counts) + within).astype(np.uintp)
    return huge_pages * np.uintp(HUGE_PAGE_BYTES)
