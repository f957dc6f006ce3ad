"""The pid of this process, or of one of its threads, means the same as 0."""

import os
import threading

import numpy as np
import pytest

import movepages as mp
from movepages.pages.buffers import footprint_of
from movepages.pages.footprint import Footprint
from support import memory, system
from support.forks import in_child

PAGE = memory.PAGE
NODE = mp.topology().allowed_nodes[0]
# Only this test needs PROT_NONE: older kernels do not see such pages in a query.
PROT_NONE, PROT_BOTH = 0, 3


@pytest.fixture
def thread():
    """Yield the id of a thread that waits."""
    stop, begun = threading.Event(), threading.Event()
    each = threading.Thread(target=lambda: (begun.set(), stop.wait()))
    each.start()
    begun.wait()
    yield each.native_id
    stop.set()
    each.join()


@pytest.fixture(params=["process", "thread"])
def pid(request, thread):
    return os.getpid() if request.param == "process" else thread


@pytest.fixture
def a():
    a = memory.anonymous(40 * PAGE, NODE)
    memory.discard(a[: 10 * PAGE])
    return a


def region(a, pid):
    return mp.Region(a.ctypes.data, a.nbytes, pid)


def test_pid_is_kept_and_means_0(a, pid):
    given = region(a, pid)
    assert given.pid == pid
    assert footprint_of(given) == footprint_of(region(a, 0))
    assert footprint_of(Footprint(a.ctypes.data, a.nbytes, pid=pid)).pid == 0
    assert mp.where(given).pid == 0


def test_pages_that_old_kernels_do_not_see(a, pid):
    # Forty pages are enough for page tables to be read, too.
    for pages in (8, 40):
        part = a[-pages * PAGE :]
        system.succeed(system.libc.mprotect(part.ctypes.data, part.nbytes, PROT_NONE))
        try:
            ours, theirs = (mp.where(region(part, each)) for each in (0, pid))
            queried = mp.move_pages(memory.pages_of(part), pid=pid)
            expected = mp.move_pages(memory.pages_of(part))
        finally:
            system.succeed(system.libc.mprotect(part.ctypes.data, part.nbytes, PROT_BOTH))
        assert ours == theirs
        assert ours.absent_reasons == theirs.absent_reasons
        assert queried.tolist() == expected.tolist()


def test_all_calls_accept_the_pid(a, pid):
    given = region(a, pid)
    mp.bind(given, NODE)
    assert [each.mode.name for each in mp.policy(given)] == ["BIND"]
    mp.touch(given)
    mp.fault_in(given)
    assert mp.move(given, NODE).already_there == 40
    assert mp.plan(given, NODE).in_place == 40 * PAGE
    assert (mp.targets(given, mp.blocks([NODE])) == NODE).all()


def test_process(a):
    found = mp.process(os.getpid())
    assert repr(found).startswith(f"<Process {os.getpid()}")
    rows = found.regions()
    rows = rows[rows["address"] == a.ctypes.data]
    assert [each.pid for each in found.where(rows)] == [0]


def test_unusable_node_is_refused_as_for_0(a, pid):
    for each in (0, pid):
        with pytest.raises(ValueError, match="is not a node") as caught:
            mp.move(region(a, each), max(mp.topology().nodes) + 1)
        assert caught.value.result.not_attempted == 40


def test_pid_means_the_parent_after_a_fork(a):
    given = region(a, os.getpid())

    def act():
        found = mp.where(given)
        a[:] = 1
        again = mp.where(given)
        # Pages that the child has written to are its own.
        raise RuntimeError(f"{found.pid}, {again.absent_pages} absent")

    assert f"{os.getpid()}, 10 absent" in in_child(act)


def test_other_pids_are_other_processes(a):
    assert footprint_of(mp.Region(0, 1, 1)).pid == 1
    assert footprint_of(mp.Region(0, 1, 2**31 - 1)).pid == 2**31 - 1
    with pytest.raises(TypeError):
        mp.move_pages(memory.pages_of(a), pid="1")
    with pytest.raises(mp.MovePagesError):
        mp.move_pages(memory.pages_of(a), pid=2**22 + 1)
    assert (mp.move_pages(memory.pages_of(a)[10:], pid=np.int64(os.getpid())) == NODE).all()
