"""Lines of maps, smaps and numa_maps that repeat addresses, because mappings merged meanwhile."""

import ctypes
import mmap
import random
import threading
import time

import numpy as np

import movepages as mp
from movepages.pages.runs import totals
from movepages.system.maps import parse_lines, parse_maps
from movepages.system.numa_maps import parse_numa_maps
from movepages.system.smaps import parse_fields
from support import memory, system
from support.memory import PAGE
from support.storm import meanwhile

MAPS = b"""\
1000-3000 rw-p 00000000 00:00 0
5000-6000 rw-p 00000000 00:00 0
5000-8000 rw-p 00000000 00:00 0
7000-9000 rw-p 00000000 00:00 0
6000-a000 r--p 00000000 00:00 0
c000-d000 rw-p 00000000 00:00 0
"""
PAGES, SECONDS, FEWEST = 398, 2.0, 20


def test_later_line_of_maps_counts():
    found = [(each.start, each.end, each.permissions) for each in parse_lines(MAPS)]
    assert found == [
        (0x1000, 0x3000, b"rw-p"),
        (0x5000, 0x6000, b"rw-p"),
        (0x6000, 0xA000, b"r--p"),
        (0xC000, 0xD000, b"rw-p"),
    ]


def test_ranges_are_cut_without_overlap():
    mappings = parse_maps(MAPS)
    _, begin, end = mappings.cut(np.array([0], np.uintp), np.array([0xE000], np.uintp))
    assert begin[0] == 0
    assert end[-1] == 0xE000
    assert np.array_equal(begin[1:], end[:-1])


def test_later_mapping_of_smaps_counts():
    text = b"".join(
        line + b"\nAnonHugePages: %d kB\n" % (4 * number)
        for number, line in enumerate(MAPS.splitlines())
    )
    found = [
        (start, end, fields[b"AnonHugePages"] >> 12) for start, end, fields in parse_fields(text)
    ]
    assert found == [(0x1000, 0x3000, 0), (0x6000, 0xA000, 4), (0xC000, 0xD000, 5)]


def test_later_line_of_numa_maps_counts():
    starts = [b"1000", b"5000", b"5000", b"7000", b"6000", b"c000"]
    text = b"".join(
        b"%s default anon=%d N0=%d kernelpagesize_kB=4\n" % (start, number, number)
        for number, start in enumerate(starts)
    )
    found, _, pages = parse_numa_maps(text)
    assert found.tolist() == [0x1000, 0x5000, 0x6000, 0xC000]
    assert (pages * PAGE // 4096).tolist() == [0, 2, 4, 5]


def remap(a, stop, seed):
    """Map, unmap, protect and touch single pages until told to stop."""
    rng, fresh = random.Random(seed), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x10
    while not stop.is_set():
        page = ctypes.c_void_p(a.ctypes.data + rng.randrange(PAGES) * PAGE)
        how = rng.randrange(3)
        if how == 0:
            system.succeed(system.libc.munmap(page, PAGE))
        elif how == 1:
            system.libc.mprotect(page, PAGE, rng.choice([0, 3]))
        else:
            assert system.libc.mmap(page, PAGE, 3, fresh, -1, 0) == page.value
            ctypes.memset(page, 1, 1)


def test_each_page_counts_once_while_mappings_come_and_go():
    a, stop = memory.anonymous(PAGES * PAGE), threading.Event()
    end, queries = time.monotonic() + SECONDS, 0
    with meanwhile(remap, a, stop, 0):
        try:
            # A guest may need longer for these.
            while time.monotonic() < end or queries < FEWEST:
                p = mp.where(a)
                queries += 1
                assert sum(totals(p.runs, "pages").values()) == p.pages == PAGES
                ends = p.runs["address"] + p.runs["pages"].astype(np.uintp) * np.uintp(PAGE)
                assert np.array_equal(p.runs["address"][1:], ends[:-1])
        finally:
            stop.set()
    # Unmapped pages would let other memory come to lie here.
    system.libc.mmap(
        a.ctypes.data, a.nbytes, 3, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x10, -1, 0
    )
