"""Find huge pages through /proc/PID/smaps on kernels before 6.7, which do not report them."""

from __future__ import annotations

import mmap
import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .._core import HUGE_PAGE_BYTES
from .intervals import Intervals, index_within
from .maps import drop_repeated
from .presence import Presence, presence_runs
from .refusals import read_if_told

_HEAD = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) ")
_HUGETLB = (b"Shared_Hugetlb", b"Private_Hugetlb")
_MEMORY = (b"Rss", b"Swap", *_HUGETLB)
# Reading page tables entry by entry takes 0.2 s for this many bytes; avoid it for more.
TOO_MANY_BYTES = mmap.PAGESIZE << 24
_PRESENT = Presence.PAGE, Presence.PAGE_OR_ZERO, Presence.OWN_PAGE
_MAPPED_HUGE = (b"AnonHugePages", b"ShmemPmdMapped", b"FilePmdMapped")


class Mapping(NamedTuple):
    """One mapping, and how many huge pages it maps whole."""

    start: int
    end: int
    huge: int


def parse_fields(text: bytes) -> list[tuple[int, int, Counter[bytes]]]:
    """Return the start, the end and the fields (in bytes) of each mapping, in address order."""
    found: list[tuple[int, int, Counter[bytes]]] = []
    for start, end, fields in _each_mapping(text):
        drop_repeated(found, start)
        # The counts of a mapping that has become shorter are outdated.
        if found and found[-1][1] > start:
            found.pop()
        found.append((start, end, fields))
    return found


def _each_mapping(text: bytes) -> Iterator[tuple[int, int, Counter[bytes]]]:
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
    """Return the mappings that contain huge pages."""
    return [
        Mapping(start, end, huge // HUGE_PAGE_BYTES)
        for start, end, fields in parse_fields(text)
        if (huge := sum(fields[name] for name in _names_of_huge(fields)))
    ]


def _names_of_huge(fields: Counter[bytes]) -> tuple[bytes, ...]:
    """Return the fields that count huge pages of a mapping.

    The pages of hugetlbfs are huge pages, and Rss does not count them. On arm64, hugetlbfs also has
    smaller pages, which are not counted here.
    """
    small = 0 < fields[b"KernelPageSize"] < HUGE_PAGE_BYTES
    return _MAPPED_HUGE if small else (*_MAPPED_HUGE, *_HUGETLB)


def mappings_without_memory(pid: int) -> Intervals:
    """Return the mappings of at least `TOO_MANY_BYTES` that have no memory.

    The zero page does not count as memory. The result is empty if smaps cannot be read.
    """
    edges = [
        edge
        for start, end, fields in parse_fields(read_if_told(pid, "smaps") or b"")
        if end - start >= TOO_MANY_BYTES and not any(fields[name] for name in _MEMORY)
        for edge in (start, end)
    ]
    return Intervals(np.array(edges, np.uintp), np.ones(len(edges) // 2, np.uint8))


class KnownHugePages:
    """Those huge pages of a process that /proc/PID/smaps makes certain.

    smaps gives the number of huge pages in a mapping, but not their addresses. An aligned range can
    be a huge page only if all its pages are present. If a mapping has as many such full ranges as
    huge pages, these ranges are the huge pages. If it has more, none is certain. Mappings larger
    than `TOO_MANY_BYTES` are not searched, so none of their huge pages is certain.

    Parameters
    ----------
    pid : int
        The process; 0 for this one. Its smaps is read once, at the first query.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid

    @cached_property
    def huge_pages(self) -> npt.NDArray[np.uintp]:
        """Start of each huge page, ascending; empty if /proc/PID/smaps cannot be read."""
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
    """Return the start of each aligned, huge-page-sized range with all pages present."""
    runs = presence_runs(np.array([start], np.uintp), np.array([end], np.uintp), pid)
    if runs is None:
        return np.empty(0, np.uintp)
    begin, until = runs.start.astype(np.int64), runs.end.astype(np.int64)
    # Join adjacent stretches of present pages, whatever their kind.
    there = np.isin(runs.kind, [kind.value for kind in _PRESENT])
    begin, until = begin[there], until[there]
    new = np.append(True, begin[1:] != until[:-1])[: len(begin)]
    begin, until = begin[new], until[np.append(new[1:], True)[: len(until)]]
    first, last = -(-begin // HUGE_PAGE_BYTES), until // HUGE_PAGE_BYTES
    counts = np.maximum(last - first, 0)
    huge_pages = (np.repeat(first, counts) + index_within(counts)).astype(np.uintp)
    return huge_pages * np.uintp(HUGE_PAGE_BYTES)
