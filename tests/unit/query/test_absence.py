"""Why pages are absent: found by page tables and mappings, and counted right."""

import ctypes
import errno
import mmap
import os
import platform

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import movepages as mp
from movepages.query.absence_reasons import absences
from movepages.results.absence import describe_reasons
from movepages.system.intervals import Intervals
from movepages.system.maps import Backing, parse_maps, read_mappings
from support import memory, processes, system, witness
from support.memory import PAGE
from support.seccomp import forbid

GUARD_INSTALL, GUARD_REMOVE = 102, 103
SYS_IOCTL = {"x86_64": 16, "aarch64": 29}[platform.machine()]
UNTOUCHED, ZERO, UNMAPPED = mp.Absence.UNTOUCHED, mp.Absence.ZERO_PAGE, mp.Absence.UNMAPPED


def per_page(p):
    """Return the reason of each page of a placement, 0 for pages with a node."""
    reasons = np.zeros(p.pages, int)
    for address, pages, reason in p.absences.tolist():
        first = int(np.searchsorted(p.addresses, address))
        assert p.addresses[first] == address
        assert (reasons[first : first + pages] == 0).all()
        reasons[first : first + pages] = reason
    return reasons


@pytest.mark.parametrize("pid", [0, os.getpid()])
@pytest.mark.usefixtures("own_pid_as_another")
def test_untouched_discarded_zero_and_unmapped_pages_are_distinguished(pid):
    with memory.apart(64 * PAGE) as a:
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


def test_every_other_page(page_size):
    a = memory.anonymous(2000 * PAGE)
    for page in range(0, 2000, 2):
        a[page * PAGE] = 1
    p = mp.where(a)
    assert per_page(p).tolist() == [0, UNTOUCHED] * 1000
    assert len(p.absences) == 1000


def test_reasons_in_messages():
    a = memory.anonymous(4 * PAGE)
    a[0] = 1
    assert f"absent: {3 * PAGE // 1024} KiB (3 never touched" in str(mp.where(a))
    with pytest.raises(OSError, match="pages without memory: 3 never touched"):
        mp.move(a, mp.topology().allowed_nodes[0]).raise_for_status()


def test_move_reports_reasons():
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
def test_addresses_where_no_memory_can_be(address, reason):
    p = mp.where(mp.Region(address, 2 * PAGE))
    assert p.absent_reasons == {reason: 2}


def test_reasons_are_unknown_for_a_dead_process():
    address, pages = np.array([PAGE, 9 * PAGE], np.uintp), np.array([3, 1])
    found = absences(address, pages, np.array([-2, 0], np.int32), PAGE, 2**22 + 1)
    assert found.tolist() == [(PAGE, 3, mp.Absence.UNKNOWN)]
    assert describe_reasons(found) == "3 for a reason that the kernel does not report"


def test_device_is_no_memory():
    with open("/proc/self/maps", encoding="utf-8") as maps:
        line = next((line for line in maps if line.rstrip().endswith("[vvar]")), None)
    if line is None:
        pytest.skip("needs a mapping [vvar], which x86 and arm64 have")
    start = int(line.split("-")[0], 16)
    p = mp.where(mp.Region(start, PAGE))
    if "pf" in witness.flags_of(start):
        assert p.absent_reasons == {mp.Absence.DEVICE: 1}
    else:
        # Newer kernels report a node for what is backed by a page of memory.
        assert p.absent_reasons == {}
        assert witness.present([start]).all()


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
    # The first versions show it like a page that is swapped out.
    reason = mp.Absence.GUARD if kernel >= (6, 15) else mp.Absence.SWAPPED
    assert mp.where(a).absent_reasons == {reason: 2}
    system.succeed(system.libc.madvise(guard.ctypes.data, guard.nbytes, GUARD_REMOVE))


EDGES = st.lists(st.integers(1, 60), min_size=2, max_size=12).map(
    lambda lengths: np.cumsum(lengths)[: len(lengths) // 2 * 2].astype(np.uintp)
)


@given(EDGES, st.integers(0, 300), st.integers(1, 200))
def test_ranges_are_cut_where_mappings_begin_and_end(edges, start, length):
    mappings = Intervals(edges, np.full(len(edges) // 2, Backing.OTHER, np.uint8))
    starts = np.array([start], np.uintp)
    which, begin, end = mappings.cut(starts, starts + np.uintp(length))
    covered = [x for a, b in zip(begin.tolist(), end.tolist(), strict=True) for x in range(a, b)]
    assert covered == list(range(start, start + length))
    assert (which == 0).all()
    inside = [any(a <= x < b for a, b in edges.reshape(-1, 2).tolist()) for x in covered]
    mapped = mappings.at(begin) == Backing.OTHER
    assert np.repeat(mapped, (end - begin).astype(int)).tolist() == inside


def test_the_mappings_of_this_process():
    a = memory.anonymous(PAGE)
    mappings = read_mappings(0)
    found = mappings.at(np.array([a.ctypes.data, 0], np.uintp))
    assert found.tolist() == [Backing.PRIVATE, Backing.NOTHING]
    assert read_mappings(2**22 + 1) is None


def test_only_the_mappings_within_a_range_are_read():
    # Every second page is read-only, so that neighbours do not merge into one mapping.
    a = memory.anonymous(64 * PAGE)
    for page in range(0, 64, 2):
        assert system.libc.mprotect(a.ctypes.data + page * PAGE, PAGE, mmap.PROT_READ) == 0
    start, whole = a.ctypes.data, read_mappings(0)
    for first, last in [(10, 11), (10, 13), (0, 64), (63, 64)]:
        some = read_mappings(0, start + first * PAGE, start + last * PAGE)
        assert len(some.value) == last - first
        inside = np.arange(start + first * PAGE, start + last * PAGE, PAGE, dtype=np.uintp)
        assert some.at(inside).tolist() == whole.at(inside).tolist() == [1] * (last - first)


MAPS = b"""\
1000-2000 r-xp 00000000 08:01 77                         /usr/bin/an odd\rname\x0b\xe2\x80\xa8.so
2000-3000 rw-p 00000000 00:00 0                          [heap]
3000-4000 rw-s 00000000 00:01 5                          /dev/zero (deleted)
4000-5000 rw-p 00000000 00:00 0
5000-6000 rw-s 00000000 00:05 6                          /dev/nvidia0
6000-7000 rw-s 00000000 00:0e 7                          anon_inode:[perf_event]
7000-8000 rw-p 00000000 00:0f 8                          /dev/hugepages1G/x
8000-9000 rw-s 00000000 00:01 9                          /memfd:two words (deleted)
9000-a000 r--p 00000000 00:00 0                          [vvar_vclock]
"""


def test_backing_of_each_mapping():
    private, other, device = Backing.PRIVATE, Backing.OTHER, Backing.DEVICE
    mappings = parse_maps(MAPS)
    found = mappings.at(np.arange(0x800, 0xB000, 0x1000, dtype=np.uintp))
    expected = [other, private, other, private, device, device, other, other, device]
    assert found.tolist() == [Backing.NOTHING, *expected, Backing.NOTHING]


def test_a_file_with_an_odd_name_is_mapped(tmp_path):
    path = tmp_path / "odd\r\x0b\x1c\x85\u2028name"
    path.write_bytes(bytes(4 * PAGE))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 4 * PAGE) as mapped:
        a = np.frombuffer(mapped, np.uint8)
        p = mp.where(a)
        assert p.absent_reasons == {mp.Absence.NOT_ENTERED: 4}
        del a


def test_pages_that_another_mapping_holds_are_not_called_untouched():
    file = os.memfd_create("shared")
    os.ftruncate(file, 64 * PAGE)
    one, two = (mmap.mmap(file, 64 * PAGE) for _ in range(2))
    os.close(file)
    one[:] = b"x" * (64 * PAGE)
    assert mp.where(one).absent_reasons == {}
    assert mp.where(two).absent_reasons == {mp.Absence.NOT_ENTERED: 64}


def of_a_range_that_ends_beyond():
    """Return the nodes of pages near the end of the address space, alone and with pages beyond."""
    end = next(1 << bits for bits in (47, 48, 56) if _can_map((1 << bits) - 17 * PAGE))
    start = end - 17 * PAGE
    return [mp.where(mp.Region(start, n * PAGE)).pages_per_node for n in (16, 64, 4096)]


def _can_map(address):
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x10
    found = system.libc.mmap(address, 16 * PAGE, 3, flags, -1, 0)
    if found != address:
        return False
    ctypes.memset(address, 1, 16 * PAGE)
    return True


def test_range_beyond_the_address_space():
    within, beyond, far_beyond = processes.run_as(None, of_a_range_that_ends_beyond)
    assert sum(within.values()) == 16
    assert within == beyond == far_beyond


def looked_at_without_ioctl(answer):
    a = memory.anonymous(64 * PAGE)
    memory.touch(a)
    forbid(answer, SYS_IOCTL)
    return mp.where(a).pages_per_node, mp.where(mp.Region(0, 1 << 20)).pages_per_node


# EFAULT is also the kernel's answer for addresses that no process has.
@pytest.mark.parametrize(
    "answer", [errno.EACCES, errno.EFAULT, errno.EINVAL, errno.EIO, errno.ENOMEM, errno.EPERM]
)
def test_forbidden_scan_falls_back_to_queries(answer):
    found, nothing = processes.run_as(None, looked_at_without_ioctl, answer)
    assert sum(found.values()) == 64
    assert not nothing
