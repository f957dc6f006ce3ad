"""Huge pages found by counts alone: only those that are certain are reported."""

import os

import numpy as np
import pytest

from movepages._core import HUGE_PAGE_BYTES
from movepages.system.smaps import KnownHugePages, Mapping, full_huge_pages, parse_smaps
from support import memory
from support.memory import PAGE

TEXT = b"""\
7f0000000000-7f0000800000 rw-p 00000000 00:00 0
Size:               8192 kB
Rss:                8192 kB
AnonHugePages:      4096 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
VmFlags: rd wr mr mw me ac sd hg
7f0000800000-7f0000801000 rw-p 00000000 00:00 0      [heap: a name]
AnonHugePages:         0 kB
7f0001000000-7f0001400000 rw-s 00000000 00:0f 12     /dev/hugepages/x
Rss:                   0 kB
Shared_Hugetlb:     2048 kB
Private_Hugetlb:    2048 kB
7f0002000000-7f0002600000 rw-s 00000000 00:01 99     /dev/zero (deleted)
ShmemPmdMapped:     2048 kB
FilePmdMapped:      2048 kB
"""


def test_the_mappings_that_hold_huge_pages():
    per = (1 << 21) // HUGE_PAGE_BYTES
    assert parse_smaps(TEXT) == [
        Mapping(0x7F0000000000, 0x7F0000800000, 2 * per),
        Mapping(0x7F0001000000, 0x7F0001400000, 2 * per),
        Mapping(0x7F0002000000, 0x7F0002600000, 2 * per),
    ]
    assert parse_smaps(b"") == []


def test_small_pages_of_hugetlbfs_are_no_huge_pages():
    text = b"7f0000000000-7f0080000000 rw-p 00000000 00:00 0\nKernelPageSize: %d kB\n"
    text += b"Private_Hugetlb: %d kB\n" % (HUGE_PAGE_BYTES // 1024)
    assert parse_smaps(text % (HUGE_PAGE_BYTES // 2048)) == []
    found = parse_smaps(text % (HUGE_PAGE_BYTES // 1024))
    assert found == [Mapping(0x7F0000000000, 0x7F0080000000, 1)]


@pytest.mark.parametrize("pid", [0, os.getpid()])
def test_full_huge_pages(pid):
    whole = memory.anonymous(8 * HUGE_PAGE_BYTES)
    start = -(-whole.ctypes.data // HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES
    a = whole[start - whole.ctypes.data :][: 6 * HUGE_PAGE_BYTES]
    memory.touch(a)
    memory.discard(a[HUGE_PAGE_BYTES + 7 * PAGE : HUGE_PAGE_BYTES + 8 * PAGE])
    memory.discard(a[4 * HUGE_PAGE_BYTES : 5 * HUGE_PAGE_BYTES])
    found = full_huge_pages(start, start + 6 * HUGE_PAGE_BYTES, pid)
    assert ((found - np.uintp(start)) // HUGE_PAGE_BYTES).tolist() == [0, 2, 3, 5]


def test_uncertain_huge_pages_are_not_reported(monkeypatch):
    known = KnownHugePages(0)
    first = 0x7F0000000000
    text = TEXT.splitlines(keepends=True)
    monkeypatch.setattr("movepages.system.smaps.read_if_told", lambda *_args: b"".join(text[:9]))
    for full, expected in ((2, 2), (3, 0), (1, 0)):
        frames = first + np.arange(full, dtype=np.uintp) * np.uintp(HUGE_PAGE_BYTES)
        monkeypatch.setattr("movepages.system.smaps.full_huge_pages", lambda *_args, f=frames: f)
        known = KnownHugePages(0)
        assert len(known.huge_pages) == expected
    assert known.hold(np.array([first], np.uintp)).tolist() == [False]


def test_dead_process_has_no_huge_pages():
    assert len(KnownHugePages(2**22 + 1).huge_pages) == 0
