"""The arguments of move_pages(): used in place, converted, or refused."""

import array
import errno
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from support.forks import fork

PAGE = mp.topology().page_size
NOT_ATTEMPTED = mp.PageStatus.NOT_ATTEMPTED


@pytest.fixture
def memory():
    return np.ones(16 * PAGE, np.uint8)


@pytest.fixture
def pages(memory):
    start = memory.ctypes.data
    return np.arange(start, start + memory.nbytes, PAGE, dtype=np.uintp)


@pytest.fixture
def node(pages):
    return int(mp.mempolicy_nodes(pages)[0])


def raw(pages, nodes, status):
    return _core.move_pages(pages, nodes, status, 0, mp.MPOL_MF_MOVE, None)


class TestInPlace:
    def test_status_given_is_the_one_returned_and_written(self, pages):
        status = np.full(len(pages), NOT_ATTEMPTED, np.int32)
        assert mp.move_pages(pages, None, status) is status
        assert np.array_equal(status, mp.mempolicy_nodes(pages))

    def test_status_inside_a_larger_array_leaves_its_neighbours_alone(self, pages):
        large = np.full(len(pages) + 2, 77, np.int32)
        mp.move_pages(pages, None, large[1:-1])
        assert large[0] == large[-1] == 77
        assert np.array_equal(large[1:-1], mp.mempolicy_nodes(pages))

    def test_made_status_is_int32(self, pages):
        status = mp.move_pages(pages)
        assert (status.dtype, status.shape) == (np.int32, pages.shape)

    def test_no_pages(self):
        assert mp.move_pages([]).shape == (0,)
        assert mp.move_pages(np.empty(0, np.uintp), 0).shape == (0,)

    def test_any_address_in_a_page_names_it(self, pages):
        assert np.array_equal(mp.move_pages(pages + np.uintp(7)), mp.mempolicy_nodes(pages))

    def test_unsigned_long_long_is_uintp_by_another_name(self, pages):
        status = np.empty(len(pages), np.int32)
        assert raw(pages.astype(np.ulonglong), None, status) is None
        assert np.array_equal(status, mp.mempolicy_nodes(pages))

    def test_read_only_inputs_are_accepted(self, pages, node):
        nodes = np.full(len(pages), node, np.int32)
        pages.flags.writeable = nodes.flags.writeable = False
        assert (mp.move_pages(pages, nodes) == node).all()


class TestConverted:
    @pytest.mark.parametrize(
        "convert",
        [
            list,
            tuple,
            lambda p: p.tolist(),
            lambda p: p.astype(np.int64),
            lambda p: p.astype(p.dtype.newbyteorder()),
            lambda p: array.array("Q", p.tolist()),
            lambda p: np.repeat(p, 2)[::2],
            lambda p: p[::-1][::-1],
            lambda p: range(int(p[0]), int(p[-1]) + 1, PAGE),
            lambda p: np.frombuffer(b"x" + p.tobytes(), np.uint8)[1:].view(np.uintp),
        ],
        ids=[
            "list", "tuple", "ints", "int64", "byte-swapped", "array.array", "strided", "reversed",
            "range", "unaligned",
        ],
    )  # fmt: skip
    def test_pages(self, pages, convert):
        assert np.array_equal(mp.move_pages(convert(pages)), mp.mempolicy_nodes(pages))

    @pytest.mark.parametrize(
        "convert", [list, np.int64, np.uint8, np.dtype(">i4").type, lambda n: n.astype(">i2")]
    )
    def test_nodes_per_page(self, pages, node, convert):
        nodes = np.full(len(pages), node, np.int32)
        assert (mp.move_pages(pages, convert(nodes)) == node).all()

    @pytest.mark.parametrize("one", [int, np.int64, np.uint8, np.array])
    def test_one_node_for_all(self, pages, node, one):
        assert (mp.move_pages(pages, one(node)) == node).all()

    def test_ints_on_both_sides_of_2_to_63_keep_their_last_digits(self):
        # No mapping of this process has these exact addresses: EFAULT or ENOENT.
        status = mp.move_pages([0, 2**63 + 1, 2**64 - 1])
        assert set(status.tolist()) <= {-errno.EFAULT, -errno.ENOENT}


def wrong_status(case, pages):
    n = len(pages)
    cases = {
        "list": [0] * n,
        "float64": np.zeros(n),
        "int64": np.zeros(n, np.int64),
        "uint32": np.zeros(n, np.uint32),
        "byte-swapped": np.zeros(n, np.dtype(np.int32).newbyteorder()),
        "two dimensions": np.zeros((n, 1), np.int32),
        "no dimension": np.array(0, np.int32),
        "strided": np.zeros(2 * n, np.int32)[::2],
        "reversed": np.zeros(n, np.int32)[::-1],
        "too short": np.zeros(n - 1, np.int32),
        "too long": np.zeros(n + 1, np.int32),
        "unaligned": np.zeros(4 * n + 1, np.uint8)[1:].view(np.int32),
        "overlaps pages": pages.view(np.int32)[:n],
    }
    return cases[case]


class TestRefused:
    @pytest.mark.parametrize(
        ("case", "error", "named"),
        [
            ("list", TypeError, "int32"),
            ("float64", TypeError, "float64"),
            ("int64", TypeError, "int64"),
            ("uint32", TypeError, "uint32"),
            ("byte-swapped", TypeError, ">i4" if sys.byteorder == "little" else "<i4"),
            ("two dimensions", ValueError, "2 dimensions"),
            ("no dimension", ValueError, "0 dimensions"),
            ("strided", ValueError, "stride of 8"),
            ("reversed", ValueError, "stride of -4"),
            ("too short", ValueError, "16 pages, got 15"),
            ("too long", ValueError, "16 pages, got 17"),
            ("unaligned", ValueError, "not aligned"),
            ("overlaps pages", ValueError, "share memory"),
        ],
    )
    def test_status(self, pages, case, error, named):
        status = wrong_status(case, pages)
        before = np.array(status).tobytes()
        with pytest.raises(error, match=named) as caught:
            mp.move_pages(pages, None, status)
        assert not isinstance(caught.value, OSError)
        assert np.array(status).tobytes() == before

    def test_read_only_status(self, pages):
        status = np.full(len(pages), 77, np.int32)
        status.flags.writeable = False
        with pytest.raises(ValueError, match="read-only"):
            mp.move_pages(pages, None, status)
        assert (status == 77).all()

    def test_nodes_and_status_in_one_buffer(self, pages, node):
        both = np.full(len(pages), node, np.int32)
        with pytest.raises(ValueError, match="nodes and status share memory"):
            mp.move_pages(pages, both, both)

    @pytest.mark.parametrize(
        ("given", "error"),
        [
            ([1.5], TypeError),
            (["x"], TypeError),
            ([-1], ValueError),
            ([2**64], ValueError),
            ([True], TypeError),
            (np.array(5, np.uintp), ValueError),
            (bytearray(8), TypeError),
            (np.array([1.0]), TypeError),
            (np.array([True]), TypeError),
            (np.array([-1]), ValueError),
            (np.array([[1]]), ValueError),
            (5, ValueError),
            ("12", TypeError),
            (b"12345678", TypeError),
            (None, TypeError),
        ],
    )
    def test_pages(self, given, error):
        with pytest.raises(error, match="pages: expected"):
            mp.move_pages(given)

    @pytest.mark.parametrize(
        ("given", "error", "named"),
        [
            (True, TypeError, "truth value"),
            (0.0, TypeError, "float"),
            ("0", TypeError, "the text '0'"),
            ([0.0] * 16, TypeError, "list"),
            ([2**32] * 16, ValueError, "got 4294967296"),
            ([False] * 16, TypeError, "a truth value"),
            (np.zeros(16), TypeError, "float64"),
            (np.full(16, 2**31), ValueError, "got 2147483648"),
            (np.zeros(15, np.int32), ValueError, "16 pages, got 15"),
            (np.zeros((16, 1), np.int32), ValueError, "2 dimensions"),
        ],
    )
    def test_nodes(self, pages, given, error, named):
        with pytest.raises(error, match="nodes: expected") as caught:
            mp.move_pages(pages, given)
        assert named in str(caught.value)

    @pytest.mark.parametrize("name", ["pid", "flags"])
    def test_pid_and_flags_are_ints(self, pages, name):
        with pytest.raises(TypeError, match=f"{name}: expected an int, got a float"):
            mp.move_pages(pages, **{name: 1.0})

    @pytest.mark.parametrize("name", ["pages", "nodes", "status"])
    def test_masked_arrays_are_rejected(self, pages, node, name):
        given = {"pages": pages, "nodes": np.full(16, node), "status": np.zeros(16, np.int32)}
        given[name] = np.ma.masked_array(given[name], mask=True)
        with pytest.raises(TypeError, match=f"{name}: expected a plain array, got a masked one"):
            mp.move_pages(**given)

    @pytest.mark.parametrize("name", ["pid", "flags"])
    def test_truth_values_are_no_ints(self, pages, name):
        with pytest.raises(TypeError, match=f"{name}: expected an int, got a bool"):
            mp.move_pages(pages, **{name: True})

    def test_copied_input_may_not_share_memory_with_the_status_either(self, pages):
        strided = np.repeat(pages, 2)[::2]
        with pytest.raises(ValueError, match="pages and status share memory"):
            mp.move_pages(strided, None, strided.base.view(np.int32)[: len(strided)])

    def test_no_pages_still_need_a_valid_node(self):
        with pytest.raises(mp.MovePagesError, match="node 999 "):
            mp.move_pages([], 999)

    def test_the_core_converts_nothing(self, pages):
        status = np.empty(len(pages), np.int32)
        with pytest.raises(TypeError, match=r"pages: .* int64"):
            raw(pages.astype(np.int64), None, status)
        with pytest.raises(ValueError, match=r"pages: .* stride"):
            raw(np.repeat(pages, 2)[::2], None, status)
        with pytest.raises(TypeError, match=r"nodes: .* int64"):
            raw(pages, np.zeros(len(pages), np.int64), status)


class TestFailedCalls:
    def failed(self, *args, **kwargs):
        with pytest.raises(mp.MovePagesError) as caught:
            mp.move_pages(*args, **kwargs)
        return caught.value

    @pytest.mark.parametrize("bad", [-1, 1023, 1024, 2**31 - 1, 2**40, -(2**40)])
    def test_unknown_node(self, pages, bad):
        error = self.failed(pages, bad)
        assert isinstance(error, ValueError)
        assert error.errno == errno.ENODEV
        assert f"node {bad} " in str(error)
        assert (error.status == NOT_ATTEMPTED).all()
        assert (error.result.pages, error.result.not_attempted) == (16, 16)

    def test_one_bad_node_among_good_ones_is_named_and_nothing_moves(self, pages, node):
        nodes = np.full(len(pages), node, np.int32)
        nodes[11] = 999
        error = self.failed(pages, nodes)
        assert "node 999 " in str(error)
        assert error.result.not_attempted == len(pages)

    @pytest.mark.parametrize("flags", [1, 8, 64, -1, 2**40])
    def test_unknown_flag(self, pages, flags):
        error = self.failed(pages, flags=flags)
        assert isinstance(error, ValueError)
        assert error.errno == errno.EINVAL
        assert f"flags={flags} " in str(error)

    @pytest.mark.parametrize("pid", [-1, -5, -(2**40), 2**40])
    def test_impossible_pid(self, pages, pid):
        error = self.failed(pages, pid=pid)
        assert isinstance(error, ProcessLookupError)
        assert error.errno == errno.ESRCH
        assert f"process {pid};" in str(error)

    def test_process_that_has_ended(self, pages):
        child = subprocess.Popen([sys.executable, "-c", ""])
        child.wait()
        error = self.failed(pages, pid=child.pid)
        assert isinstance(error, ProcessLookupError)
        assert str(child.pid) in str(error)

    def test_zombie(self, pages):
        child = fork()
        if child == 0:
            os._exit(0)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        try:
            error = self.failed(pages, pid=child)
        finally:
            os.waitpid(child, 0)
        assert error.errno in (errno.EINVAL, errno.ESRCH)

    def test_survives_pickling_with_all_it_carries(self, pages):
        error = self.failed(pages, 999)
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error)
        assert (copy.errno, str(copy), copy.result) == (error.errno, str(error), error.result)
        assert np.array_equal(copy.status, error.status)

    def test_status_given_holds_the_outcome(self, pages):
        status = np.zeros(len(pages), np.int32)
        error = self.failed(pages, 999, status)
        assert error.status is status
        assert (status == NOT_ATTEMPTED).all()


def test_unmapped_addresses():
    assert (mp.move_pages([0, 2**47 + PAGE, 2**64 - PAGE]) == mp.PageStatus.EFAULT).all()
