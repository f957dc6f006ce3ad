"""where() and move() on this machine, however many nodes it has."""

import array
import contextlib
import errno
import gc
import mmap
import weakref
from functools import partial
from multiprocessing.shared_memory import SharedMemory

import numpy as np
import pytest

import movepages as mp
from movepages.migration import executor, sizes, slice_migration
from movepages.query import page_query
from movepages.query import where as survey
from movepages.query.survey_runs import SurveyRuns
from movepages.results.failure import Failure
from movepages.results.outcome import make_error
from support import memory

PAGE = mp.topology().page_size


def anonymous(pages):
    """Return untouched private memory in small pages, page-aligned."""
    memory = mmap.mmap(-1, pages * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, np.uint8)


def witness(placement):
    """Return statuses with the nodes from get_mempolicy(2); absent pages are not queried."""
    nodes = placement.status
    present = nodes >= 0
    nodes[present] = mp.mempolicy_nodes(placement.addresses[present])
    return nodes


class TestWhere:
    def test_every_byte_of_a_touched_array_is_on_a_node(self):
        a = np.ones((1000, 1003))
        p = mp.where(a)
        assert sum(p.bytes_per_node.values()) == p.nbytes == a.nbytes
        assert p.absent_bytes == p.absent_pages == 0
        assert sum(p.pages_per_node.values()) == p.pages == len(p.status) == len(p.addresses)
        assert np.array_equal(p.status, witness(p))

    def test_untouched_pages_are_absent_and_stay_so(self):
        a = anonymous(64)
        a[3 * PAGE] = a[10 * PAGE] = 1
        for _ in range(2):
            p = mp.where(a)
            assert np.flatnonzero(p.status >= 0).tolist() == [3, 10]
            assert p.absent_bytes == 62 * PAGE
            assert sum(p.bytes_per_node.values()) == 2 * PAGE

    def test_pages_only_read_are_on_no_node(self):
        a = anonymous(4)
        assert a.sum() == 0
        p = mp.where(a)
        assert (p.status == mp.PageStatus.EFAULT).all()
        assert p.absent_bytes == a.nbytes

    def test_edges_shared_with_neighbours_are_reported(self):
        a = anonymous(4)
        a[:] = 1
        assert mp.where(a).shared_edges == 0
        inside = mp.where(a[1:-1])
        assert (inside.pages, inside.shared_edges, inside.nbytes) == (4, 2, 4 * PAGE - 2)
        assert sum(inside.bytes_per_node.values()) == 4 * PAGE - 2

    def test_pages_between_distant_rows_are_left_out(self):
        a = anonymous(100).reshape(10, 10 * PAGE)
        a[::3, :5] = 1
        p = mp.where(a[::3, :5])
        assert (p.pages, p.nbytes, p.absent_bytes) == (4, 20, 0)
        assert np.array_equal(p.addresses, a.ctypes.data + np.arange(4) * 30 * PAGE)

    @pytest.mark.parametrize("view", [np.s_[::2], np.s_[::-1], np.s_[:, 1], np.s_[3:5, ::-2]])
    def test_views_count_the_bytes_they_show(self, view):
        a = np.ones((50, 700))[view]
        p = mp.where(a)
        assert p.nbytes == sum(p.bytes_per_node.values()) == a.nbytes

    @pytest.mark.parametrize(
        "make", ["readonly", "bytearray", "bytes", "mmap", "array", "memoryview"]
    )
    def test_other_objects_with_memory(self, make):
        data = np.ones(5 * PAGE, np.uint8)
        made = {
            "bytearray": lambda: bytearray(data),
            "bytes": lambda: bytes(data),
            "array": lambda: array.array("B", bytes(data)),
            "memoryview": lambda: memoryview(bytearray(data)),
            "mmap": lambda: mmap.mmap(-1, 5 * PAGE),
            "readonly": lambda: np.frombuffer(bytes(data), np.uint8),
        }[make]()
        if make == "mmap":
            made[:] = bytes(data)
        p = mp.where(made)
        assert sum(p.bytes_per_node.values()) == p.nbytes == 5 * PAGE
        assert np.array_equal(p.status, witness(p))

    def test_shared_memory_and_files(self, tmp_path):
        block = SharedMemory(create=True, size=3 * PAGE)
        try:
            block.buf[:] = b"\1" * len(block.buf)
            assert mp.where(block).absent_bytes == 0
        finally:
            block.close()
            block.unlink()
        mapped = np.memmap(tmp_path / "file", np.uint8, "w+", shape=3 * PAGE)
        mapped[:] = 1
        assert mp.where(mapped).absent_bytes == 0

    def test_empty_array(self):
        p = mp.where(np.empty(0))
        assert (p.pages, p.nbytes, p.absent_bytes, len(p.status)) == (0, 0, 0, 0)
        assert (p.bytes_per_node, str(p)) == ({}, "0 B in 0 pages: nothing")

    def test_region_of_this_process(self):
        a = anonymous(8)
        a[: 4 * PAGE] = 1
        p = mp.where(mp.Region(a.ctypes.data, a.nbytes))
        assert p == mp.where(a)
        assert p.absent_pages == 4

    def test_slices_join_into_the_same_result(self, monkeypatch):
        a = anonymous(3000)
        # This thread may change to the CPU of another node while it writes.
        memory.bind(a, mp.topology().allowed_nodes[0])
        a[: 2037 * PAGE] = 1
        whole = mp.where(a)
        monkeypatch.setattr(survey, "SURVEY_PAGES", 7)
        monkeypatch.setattr(sizes, "MOVE_PAGES", 7)
        assert mp.where(a) == whole
        assert [run["pages"] for run in whole.runs] == [2037, 963]
        r = mp.move(a, whole)
        assert (r.pages, r.moved, r.status.tolist()) == (3000, 0, whole.status.tolist())

    def test_interrupted_query_has_moved_nothing(self, monkeypatch):
        def half(addresses, _pages, **_):
            start = np.append(addresses, addresses + np.uintp(32 * PAGE))
            status = np.array([0, mp.PageStatus.NOT_ATTEMPTED], np.int32)
            found = SurveyRuns(start, np.array([32, 32]), status, np.ones(2, np.uint8))
            return Failure(KeyboardInterrupt()), found

        monkeypatch.setattr(page_query, "survey_rows", half)
        with pytest.raises(KeyboardInterrupt) as caught:
            mp.where(anonymous(64))
        r = caught.value.result
        assert (r.moved, r.already_there, r.not_attempted) == (0, 32, 32)

    def test_lists_are_rejected(self):
        with pytest.raises(TypeError, match="list"):
            mp.where([1, 2, 3])


class TestMove:
    @pytest.fixture
    def node(self):
        return mp.topology().allowed_nodes[0]

    def test_counts_add_up_with_absent_pages(self, node):
        a = anonymous(64)
        a[: 40 * PAGE] = np.arange(40 * PAGE) % 251
        r = mp.move(a, node)
        assert (r.pages, r.moved + r.already_there, r.failed, r.not_attempted) == (64, 40, 24, 0)
        assert set(r.failures) <= {mp.PageStatus.ENOENT, mp.PageStatus.EFAULT}
        assert np.array_equal(r.status, mp.where(a).status)
        assert np.array_equal(a[: 40 * PAGE], np.arange(40 * PAGE) % 251)
        with pytest.raises(mp.MovePagesError, match="24 of 64 pages") as caught:
            r.raise_for_status()
        assert caught.value.result is r

    def test_a_second_move_finds_all_in_place(self, node):
        a = np.ones(100 * PAGE, np.uint8)
        mp.move(a, node)
        r = mp.move(a, node)
        assert (r.moved, r.already_there, r.ok) == (0, r.pages, True)
        r.raise_for_status()

    def test_per_page_target(self, node):
        a = np.ones(100 * PAGE, np.uint8)
        r = mp.move(a, np.full(mp.where(a).pages, node))
        assert r.ok

    def test_back_to_a_placement(self):
        a = anonymous(64)
        a[: 40 * PAGE] = 1
        before = mp.where(a)
        r = mp.move(a, before)
        assert r.ok
        assert r.already_there == 64
        assert mp.where(a) == before

    def test_page_absent_from_the_placement_has_no_target(self):
        a = anonymous(8)
        a[: 4 * PAGE] = 1
        before = mp.where(a)
        a[5 * PAGE] = 1
        r = mp.move(a, before)
        assert (r.already_there, r.not_attempted, r.untargeted, r.ok) == (7, 1, 1, False)
        with pytest.raises(mp.MovePagesError, match="1 without a target") as caught:
            r.raise_for_status()
        assert caught.value.errno == errno.ENOENT

    @pytest.mark.parametrize("bad", [-1, 999, 2**40])
    def test_unknown_node(self, bad):
        a = np.ones(10 * PAGE, np.uint8)
        with pytest.raises(mp.MovePagesError, match=f"node {bad} ") as caught:
            mp.move(a, bad)
        assert isinstance(caught.value, ValueError)
        assert caught.value.result.not_attempted == caught.value.result.pages == mp.where(a).pages

    def test_one_bad_node_in_the_last_slice_is_refused_before_the_first_moves(
        self, node, monkeypatch
    ):
        monkeypatch.setattr(sizes, "SLICE_PAGES", 7)
        a = anonymous(50)
        target = np.full(50, node)
        target[-1] = 999
        with pytest.raises(mp.MovePagesError, match="node 999 ") as caught:
            mp.move(a, target)
        assert caught.value.result.not_attempted == 50

    @pytest.mark.parametrize(
        ("target", "error"),
        [
            ([0], ValueError),
            (np.zeros(64), TypeError),
            (True, TypeError),
            (None, TypeError),
            ("0", TypeError),
            (np.full(64, 2**31), ValueError),
        ],
    )
    def test_invalid_target(self, target, error):
        with pytest.raises(error, match="target: expected"):
            mp.move(anonymous(64), target)

    def test_placement_of_something_else(self):
        with pytest.raises(ValueError, match="the placement has 3 pages"):
            mp.move(anonymous(4), mp.where(anonymous(3)))

    @pytest.mark.parametrize(
        "what", [mp.Region(0, 0, pid=2**31 - 1), mp.Region(PAGE, 1, 2**31 - 1)]
    )
    def test_unknown_process_is_an_error_for_any_size(self, what, node):
        for call in (lambda: mp.where(what), lambda: mp.move(what, node)):
            with pytest.raises(ProcessLookupError) as caught:
                call()
            assert caught.value.result.not_attempted == caught.value.result.pages

    @pytest.mark.parametrize("when", ["at first", "in a query", "half-way"])
    def test_an_error_keeps_no_array_alive(self, node, monkeypatch, when):
        def full(*_, **__):
            raise make_error(errno.ENOMEM, "full")

        if when == "in a query":
            nothing = SurveyRuns(*[np.empty(0)] * 4)
            failed = Failure(make_error(errno.ESRCH, "gone")), nothing
            monkeypatch.setattr(page_query, "survey_rows", lambda *_, **__: failed)
        elif when == "half-way":
            monkeypatch.setattr(executor, "refuse_unusable_nodes", lambda *_: None)
            monkeypatch.setattr(slice_migration, "move_in_slices", full)
        flags, target = (64, node) if when == "at first" else (2, node + 1)
        # With `shortcuts`, a single call answers for so small an array.
        call = partial(mp.where, shortcuts=False)
        if when != "in a query":
            call = partial(mp.move, target=target, flags=flags)
        gc.disable()
        try:
            a = memory.anonymous(4 * PAGE, node)
            gone = weakref.ref(a)
            with contextlib.suppress(mp.MovePagesError):
                call(a)
                pytest.fail("nothing was raised")
            del a
            assert gone() is None
        finally:
            gc.enable()

    def test_unknown_flag(self, node):
        with pytest.raises(mp.MovePagesError, match="flags=64") as caught:
            mp.move(anonymous(4), node, flags=64)
        assert caught.value.errno == errno.EINVAL
        assert caught.value.result.not_attempted == 4
