"""Processes, compared with their maps and numa_maps."""

import os
import subprocess
import sys

import numpy as np
import pytest

import movepages as mp
from movepages.processes.regions import _POLICY
from movepages.query import procfs
from support import memory, system

PAGE = memory.PAGE
NODE = mp.topology().allowed_nodes[0]


def row_of(regions, a):
    inside = regions["address"] <= a.ctypes.data
    row = regions[inside][-1]
    assert row["address"] + np.uintp(row["nbytes"]) >= a.ctypes.data + a.nbytes
    return row


@pytest.mark.parametrize("pid", [0, os.getpid()])
@pytest.mark.usefixtures("own_pid_as_another")
def test_this_process(pid):
    a = memory.anonymous(60 * PAGE, NODE)
    memory.discard(a[: 10 * PAGE])
    mp.bind(a, NODE, mode="interleave")
    p = mp.process(pid)
    r = p.regions()
    row = row_of(r, a)
    assert (row["address"], row["nbytes"]) == (a.ctypes.data, a.nbytes)
    assert (row["permissions"], row["name"], row["policy"]) == ("rw-p", "", f"interleave:{NODE}")
    assert row["bytes"][p.nodes.index(NODE)] == row["bytes"].sum() == 50 * PAGE
    assert (np.diff(r["address"].astype(object)) > 0).all()
    assert any(name.endswith(("python", "python3", "python3.11")) or "/" in name
               for name in r["name"])  # fmt: skip
    found = p.where(r[r["address"] == a.ctypes.data])
    assert [each.bytes_per_node for each in found] == [{NODE: 50 * PAGE}]
    assert p.where(row)[0] == found[0]
    assert p.move(NODE, row)[0].already_there == 50


def test_every_mapping_has_its_row_and_its_placement():
    p = mp.process()
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as lines:
        count = sum(1 for _ in lines)
    r = p.regions()
    assert abs(len(r) - count) < 20
    small = r[(r["nbytes"] < 1 << 20)][:20]
    for row, found in zip(small, p.where(small), strict=True):
        assert found.nbytes == row["nbytes"]
        assert sum(found.bytes_per_node.values()) <= row["nbytes"]


def test_another_process(need_root):
    code = (
        "import mmap, sys; m = mmap.mmap(-1, 1 << 22, 34); m[:] = bytes(1 << 22); print(); input()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        child.stdout.readline()
        p = mp.process(child.pid)
        r = p.regions()
        # Pages of a file that other processes map as well cannot be moved.
        big = r[(r["bytes"].sum(axis=1) >= 1 << 22) & (r["name"] == "")]
        assert len(big) >= 1
        assert sum(sum(each.bytes_per_node.values()) for each in p.where(big)) >= 1 << 22
        assert all(each.pages for each in p.move(NODE, big, on_error="warn"))
    finally:
        child.communicate(b"\n")
    with pytest.raises(ProcessLookupError):
        p.regions()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"00400000 default file=/x", "default"), (b"00400000 bind:0-1 anon=5", "bind:0-1"),
        (b"00400000 prefer (many):0 anon=1", "prefer (many):0"), (b"00400000 local", "local"),
        (b"00400000 weighted interleave:0,2 heap", "weighted interleave:0,2"),
        (b"00400000 interleave=static:1 huge", "interleave=static:1"),
    ],
)  # fmt: skip
def test_names_of_policies(line, told):
    assert _POLICY.match(line)[1].decode() == told


def test_invalid_processes():
    with pytest.raises(ValueError, match="pid: expected"):
        mp.process(-1)
    for wrong in ("init", True, None):
        with pytest.raises(TypeError, match="pid: expected the number of a process, got"):
            mp.process(wrong)
    with pytest.raises(mp.MovePagesError, match="there is no process 4194305 in /proc"):
        mp.process(4194305).regions()


def change_after(monkeypatch, name, change):
    """Call `change` whenever a file of /proc/PID was just read; return a list of the reads."""
    read, times = procfs.read_file, []

    def reads_and_changes(path):
        text = read(path)
        if path.endswith(f"/{name}"):
            times.append(path)
            change(len(times))
        return text

    monkeypatch.setattr(procfs, "read_file", reads_and_changes)
    return times


def of(a):
    r = mp.process().regions()
    return r[(r["address"] >= a.ctypes.data) & (r["address"] < a.ctypes.data + a.nbytes)]


@pytest.mark.parametrize("wrong", [[1, 2], np.ones(3), np.zeros(2, "i4,i4")])
def test_what_is_no_row_of_regions_is_refused(wrong):
    for call in (
        lambda: mp.process().where(wrong),
        lambda: mp.process().move(NODE, wrong),
    ):
        with pytest.raises(TypeError, match=r"regions: expected rows of what regions\(\) returns"):
            call()


def test_mappings_that_change_meanwhile_are_read_again(monkeypatch):
    def reads():
        a = memory.anonymous(8 * PAGE)
        a[:] = 1
        with monkeypatch.context() as patch:
            # The second half loses a right, so the mapping is split.
            times = change_after(
                patch,
                "numa_maps",
                lambda _: system.libc.mprotect(a.ctypes.data + 4 * PAGE, 4 * PAGE, 1),
            )
            now = of(a)
        assert now["nbytes"].tolist() == [4 * PAGE, 4 * PAGE]
        assert now["bytes"].sum(axis=1).tolist() == [4 * PAGE, 4 * PAGE]
        return len(times)

    # Any mapping of the process may change meanwhile; one of an allocator does now and then.
    counts = [reads() for _ in range(10)]
    assert min(counts) >= 2
    assert 2 in counts or system.SANITIZED


def test_a_mapping_that_changes_every_time_has_no_bytes(monkeypatch):
    a = memory.anonymous(8 * PAGE)
    a[:] = 1
    times = change_after(
        monkeypatch,
        "numa_maps",
        lambda turn: system.libc.mprotect(a.ctypes.data, 8 * PAGE, 1 + 2 * ((turn + 1) % 2)),
    )
    now = of(a)
    assert (now["bytes"].sum(), now["policy"].tolist()) == (0, [""])
    assert len(times) == 4


def test_growing_heap_has_the_bytes_that_were_counted(monkeypatch):
    a = memory.anonymous(64 * PAGE)
    a[: 16 * PAGE] = 1
    end = a.ctypes.data + a.nbytes
    # It shrinks by a page each time, so only its end changes.
    change_after(
        monkeypatch,
        "numa_maps",
        lambda turn: system.libc.mprotect(end - turn * PAGE, PAGE, 0),
    )
    now = of(a)
    assert now["nbytes"][0] == 60 * PAGE
    assert now["bytes"][0].sum() == 16 * PAGE


def test_counts_of_a_part_that_is_gone_are_left_out(monkeypatch):
    maps = iter([b"10000-18000 rw-p 0 00:00 0\n", b"10000-12000 rw-p 0 00:00 0\n"])
    numa = b"10000 default anon=8 dirty=8 N0=8 kernelpagesize_kB=4\n"
    monkeypatch.setattr(
        procfs, "read_file", lambda path: numa if path.endswith("numa_maps") else next(maps)
    )
    now = mp.process().regions()
    assert (now["nbytes"].tolist(), now["bytes"].sum()) == ([0x2000], 0)


def test_kernel_without_numa_is_distinguished_from_a_missing_process(monkeypatch):
    read = procfs.read_file

    def without(path):
        if path.endswith("numa_maps"):
            raise FileNotFoundError(2, "No such file or directory", path)
        return read(path)

    monkeypatch.setattr(procfs, "read_file", without)
    with pytest.raises(NotImplementedError, match="built without CONFIG_NUMA"):
        mp.process().regions()
