"""Why pages are absent: told apart by the page tables and the mappings, and counted right."""

import mmap
import os
import platform

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import movepages as mp
from movepages.absence import absences, describe_reasons
from movepages.mappings import Mappings, read_mappings
from support import memory, system
from support.memory import PAGE

GUARD_INSTALL, GUARD_REMOVE = 102, 103
UNTOUCHED, ZERO, UNMAPPED = mp.Absence.UNTOUCHED, mp.Absence.ZERO_PAGE, mp.Absence.UNMAPPED


def per_page(p):
    """Return the reason of each page of a placement, 0 for those with a node."""
    reasons = np.zeros(p.pages, int)
    for address, pages, reason in p.absences.tolist():
        first = int(np.searchsorted(p.addresses, address))
        assert p.addresses[first] == address
        assert (reasons[first : first + pages] == 0).all()
        reasons[first : first + pages] = reason
    return reasons


@pytest.mark.parametrize("pid", [0, os.getpid()])
def test_never_touched_given_back_zero_and_unmapped_are_told_apart(pid):
    a = memory.anonymous(64 * PAGE)
    a[: 8 * PAGE] = 1
    memory.discard(a[2 * PAGE : 4 * PAGE])
    assert a[20 * PAGE : 25 * PAGE].sum() == 0
    start = a.ctypes.data
    system.succeed(system.libc.munmap(start + 30 * PAGE, 3 * PAGE))
    p = mp.where(mp.Region(start, 64 * PAGE, pid=pid))
    expected = np.full(64, UNTOUCHED)
    expected[[0, 1, 4, 5, 6, 7]] = 0
    expected[20:25] = ZERO
    expected[30:33] = UNMAPPED
    assert per_page(p).tolist() == expected.tolist()
    assert p.absent_reasons == {UNTOUCHED: 50, ZERO: 5, UNMAPPED: 3}
    assert sum(p.absent_reasons.values()) == p.absent_pages
    # The place is not given to others before it is mapped again.
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x10  # MAP_FIXED
    system.libc.mmap(start + 30 * PAGE, 3 * PAGE, 0, flags, -1, 0)


def test_every_other_page(page_size):
    a = memory.anonymous(2000 * PAGE)
    for page in range(0, 2000, 2):
        a[page * PAGE] = 1
    p = mp.where(a)
    assert per_page(p).tolist() == [0, UNTOUCHED] * 1000
    assert len(p.absences) == 1000


def test_words_for_a_person():
    a = memory.anonymous(4 * PAGE)
    a[0] = 1
    assert f"absent: {3 * PAGE // 1024} KiB (3 never touched" in str(mp.where(a))
    with pytest.raises(OSError, match="pages without memory: 3 never touched"):
        mp.move(a, mp.topology().allowed_nodes[0]).raise_for_status()


def test_a_move_tells_too():
    a = memory.anonymous(4 * PAGE)
    a[0] = 1
    assert a[PAGE] == 0
    r = mp.move(a, mp.topology().allowed_nodes[0])
    assert r.absent_reasons == {UNTOUCHED: 2, ZERO: 1}


def test_no_absent_page_no_reason():
    a = memory.anonymous(4 * PAGE)
    memory.touch(a)
    assert mp.where(a).absent_reasons == {}
    assert mp.move(a, mp.topology().allowed_nodes[0]).absent_reasons == {}


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (0, UNMAPPED),
        ((1 << 64) - 2 * PAGE, UNMAPPED),
        ((1 << 47) - PAGE, UNMAPPED),
        (1 << 60, UNMAPPED),
        (1 << 63, UNMAPPED),
    ],
)
def test_where_no_memory_can_be(address, reason):
    p = mp.where(mp.Region(address, 2 * PAGE))
    assert p.absent_reasons == {reason: 2}


def test_of_a_process_that_is_no_more_nothing_is_known():
    address, pages = np.array([PAGE, 9 * PAGE], np.uintp), np.array([3, 1])
    found = absences(address, pages, np.array([-2, 0], np.int32), PAGE, 2**22 + 1)
    assert found.tolist() == [(PAGE, 3, mp.Absence.UNKNOWN)]
    assert describe_reasons(found) == "3 the kernel does not tell why"


def test_a_device_is_no_memory():
    with open("/proc/self/maps", encoding="utf-8") as maps:
        line = next((line for line in maps if line.rstrip().endswith("[vvar]")), None)
    if line is None:
        pytest.skip("needs a mapping [vvar], which x86 and arm64 have")
    start = int(line.split("-")[0], 16)
    p = mp.where(mp.Region(start, PAGE))
    assert p.absent_reasons == {mp.Absence.DEVICE: 1}


def test_a_guard_region():
    a = memory.anonymous(8 * PAGE)
    memory.touch(a)
    guard = a[2 * PAGE : 4 * PAGE]
    kernel = tuple(map(int, platform.release().split(".")[:2]))
    if kernel < (6, 13):
        with pytest.raises(OSError, match="Invalid argument"):
            system.succeed(system.libc.madvise(guard.ctypes.data, guard.nbytes, GUARD_INSTALL))
        return
    system.succeed(system.libc.madvise(guard.ctypes.data, guard.nbytes, GUARD_INSTALL))
    # The first versions show it as they show a page that is swapped out.
    reason = mp.Absence.GUARD if kernel >= (6, 15) else mp.Absence.SWAPPED
    assert mp.where(a).absent_reasons == {reason: 2}
    system.succeed(system.libc.madvise(guard.ctypes.data, guard.nbytes, GUARD_REMOVE))


EDGES = st.lists(st.integers(1, 60), min_size=2, max_size=12).map(
    lambda lengths: np.cumsum(lengths)[: len(lengths) // 2 * 2].astype(np.uintp)
)


@given(EDGES, st.integers(0, 300), st.integers(1, 200))
def test_ranges_are_cut_where_mappings_begin_and_end(edges, start, length):
    mappings = Mappings(edges, np.zeros(len(edges) // 2, bool))
    starts = np.array([start], np.uintp)
    which, begin, end = mappings.cut(starts, starts + np.uintp(length))
    covered = [x for a, b in zip(begin.tolist(), end.tolist(), strict=True) for x in range(a, b)]
    assert covered == list(range(start, start + length))
    assert (which == 0).all()
    inside = [any(a <= x < b for a, b in edges.reshape(-1, 2).tolist()) for x in covered]
    mapped, device = mappings.at(begin)
    assert np.repeat(mapped, (end - begin).astype(int)).tolist() == inside
    assert not device.any()


def test_the_mappings_of_this_process():
    a = memory.anonymous(PAGE)
    mappings = read_mappings(0)
    assert mappings.at(np.array([a.ctypes.data, 0], np.uintp))[0].tolist() == [True, False]
    assert read_mappings(2**22 + 1) is None
