"""Shared memory and the page cache: what moves, and what needs MPOL_MF_MOVE_ALL."""

import contextlib
import mmap
import os

import numpy as np
import pytest

import movepages as mp
from support import memory, processes, witness
from support.kinds_base import KERNEL

PAGE = memory.PAGE
PAGES = 40
# For a folio of several pages the kernel counts processes, for a single page mappings
# (folio_maybe_mapped_shared()). ext4 has such folios since Linux 6.16.
LARGE_FOLIOS = KERNEL >= (6, 16)


@pytest.fixture
def here_and_there(two_nodes):
    return two_nodes[0], two_nodes[1]


@contextlib.contextmanager
def memfd(_folder):
    fd = os.memfd_create("shared")
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def on_disk(folder):
    with open(folder / "shared", "w+b") as file:
        yield file.fileno()
    os.unlink(folder / "shared")


def mapped(fd):
    return np.frombuffer(mmap.mmap(fd, PAGES * PAGE), np.uint8)


@pytest.fixture(params=[memfd, on_disk])
def fd(request):
    folder = request.getfixturevalue("disk") if request.param is on_disk else None
    with request.param(folder) as fd:
        os.ftruncate(fd, PAGES * PAGE)
        os.pwrite(fd, np.repeat(np.arange(PAGES, dtype=np.uint8), PAGE).tobytes(), 0)
        os.fsync(fd)
        yield fd


def found(a):
    return set(witness.nodes_of(memory.pages_of(a)).tolist())


def test_pages_mapped_once_move(fd, here_and_there):
    a = mapped(fd)
    mp.fault_in(a)
    for node in (*here_and_there, here_and_there[0]):
        assert mp.move(a, node).ok
        assert found(a) == {node}
    assert (a[::PAGE] == np.arange(PAGES)).all()


@pytest.mark.parametrize("who", ["another process", "this one"])
def test_pages_mapped_twice_need_move_all(fd, here_and_there, who, need_root):
    here, there = here_and_there
    a = mapped(fd)
    mp.fault_in(a)
    assert mp.move(a, here).ok

    def map_it():
        map_it.kept = mapped(fd)
        return int(map_it.kept.sum())

    with contextlib.ExitStack() as stack:
        if who == "this one":
            again = mapped(fd)
            assert again[::PAGE].sum() == np.arange(PAGES).sum()
        else:
            stack.enter_context(processes.child(map_it))
        r = mp.move(a, there)
        if (
            who == "this one"
            and LARGE_FOLIOS
            and os.readlink(f"/proc/self/fd/{fd}")[:6] != "/memfd"
        ):
            assert r.ok
        else:
            assert r.failures == {mp.PageStatus.EACCES: PAGES}
            with pytest.raises(mp.MovePagesPermissionError, match="MPOL_MF_MOVE_ALL"):
                r.raise_for_status()
            assert found(a) == {here}
        assert mp.move(a, there, flags=mp.MPOL_MF_MOVE_ALL).ok
        assert found(a) == {there}
    assert (a[::PAGE] == np.arange(PAGES)).all()


def test_memmap_with_private_pages(disk, here_and_there):
    here, there = here_and_there
    path = disk / "array"
    np.memmap(path, np.int64, "w+", shape=(PAGES, PAGE // 8))[:] = 7
    a = np.memmap(path, np.int64, "c", shape=(PAGES, PAGE // 8))
    mp.fault_in(a)
    assert mp.move(a, here).ok
    a[: PAGES // 2] = 8
    assert mp.move(a, there).ok
    assert found(a.view(np.uint8).reshape(-1)) == {there}
    assert (np.fromfile(path, np.int64) == 7).all()


def test_page_cache_that_an_earlier_run_left_elsewhere(disk, here_and_there):
    here, there = here_and_there
    path = disk / "table"
    cpus = [cpu for node in mp.topology().nodes.values() if node.id == here for cpu in node.cpus]
    if not cpus:
        pytest.skip("needs a node with CPUs and memory")

    def earlier_run():
        os.sched_setaffinity(0, cpus)
        path.write_bytes(bytes(PAGES * PAGE))

    processes.run_as(None, earlier_run)
    cached = mp.page_cache(path)
    assert mp.where(cached).bytes_per_node == {here: PAGES * PAGE}
    assert mp.move(cached, there).ok
    del cached

    def later_run():
        a = np.memmap(path, np.uint8, "r")
        return found(a), int(a.sum())

    assert processes.run_as(None, later_run) == ({there}, 0)


def test_memory_shared_with_children_interleaved(here_and_there, need_root):
    a = np.frombuffer(mmap.mmap(-1, PAGES * PAGE), np.uint8)
    a[:] = 3

    def use():
        use.kept = int(a.sum())

    with processes.child(use) as other:
        r = mp.move(a, mp.interleave(here_and_there), flags=mp.MPOL_MF_MOVE_ALL)
        assert r.ok
        assert (
            mp.where(mp.Region(a.ctypes.data, a.nbytes, pid=other.pid)).status
            == np.resize(here_and_there, PAGES)
        ).all()
    assert witness.nodes_of(memory.pages_of(a)).tolist() == [*here_and_there] * (PAGES // 2)
