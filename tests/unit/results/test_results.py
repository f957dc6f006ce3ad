"""MoveResult, PageStatus and runs: their texts, and that their counts add up."""

import copy
import errno
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import movepages as mp
from movepages.pages.footprint import Footprint
from movepages.pages.runs import find_runs, join_runs, per_page_status, totals
from movepages.results.counting import result_of_status
from movepages.results.outcome import make_error
from movepages.units import format_bytes
from support import memory

STATUS = st.sampled_from([0, 1, 16, -2, -14, -16, int(mp.PageStatus.NOT_ATTEMPTED)])


class TestPageStatus:
    def test_all_of_the_original_interface_and_two_more(self):
        names = ["EPERM", "ENOENT", "EIO", "ENOMEM", "EACCES", "EFAULT", "EBUSY", "EINVAL"]
        assert sorted(mp.PageStatus.__members__) == sorted([*names, "ENODATA", "NOT_ATTEMPTED"])
        for name in names:
            assert mp.PageStatus[name] == -getattr(errno, name)

    def test_not_attempted_is_no_errno_and_no_node(self):
        assert np.iinfo(np.int32).min == mp.PageStatus.NOT_ATTEMPTED

    @pytest.mark.parametrize("status", mp.PageStatus)
    def test_each_has_a_meaning_and_a_remedy(self, status):
        assert len(status.meaning) > 20
        assert len(status.remedy) > 10

    def test_unforeseen_errno_has_a_name_too(self):
        status = mp.PageStatus(-errno.EAGAIN)
        assert (status.name, int(status)) == ("EAGAIN", -errno.EAGAIN)
        assert status.meaning

    @pytest.mark.parametrize("node", [0, 1, 5, -5000])
    def test_a_node_is_no_status(self, node):
        with pytest.raises(ValueError, match="is not a valid PageStatus"):
            mp.PageStatus(node)


class TestMoveResult:
    def test_counts_that_do_not_add_up_are_refused(self):
        with pytest.raises(ValueError, match="add up to 2, expected 3"):
            mp.MoveResult(pages=3, moved=2)

    @given(st.lists(STATUS, max_size=50))
    def test_of_a_status_array(self, statuses):
        status = np.array(statuses, np.int32)
        r = result_of_status(status, moving=True)
        query = result_of_status(status, moving=False)
        assert (r.pages, r.already_there, query.moved) == (len(status), None, 0)
        assert r.moved == query.already_there == (status >= 0).sum()
        assert r.not_attempted == (status == mp.PageStatus.NOT_ATTEMPTED).sum()
        assert r.failed == r.pages - r.moved - r.not_attempted
        assert r.failures == {s: (status == s).sum() for s in {-2, -14, -16} & set(statuses)}

    def test_raise_for_status_names_every_reason(self):
        busy, absent = mp.PageStatus.EBUSY, mp.PageStatus.ENOENT
        r = mp.MoveResult(pages=1007, moved=1, failures={busy: 2, absent: 1000}, not_attempted=4)
        with pytest.raises(mp.MovePagesError) as caught:
            r.raise_for_status()
        assert caught.value.errno == errno.ENOENT
        for part in ("1,006 of 1,007 pages", "1,000 ENOENT", "2 EBUSY", "4 not attempted"):
            assert part in str(caught.value)

    def test_texts_of_results(self):
        r = mp.MoveResult(pages=4, moved=1, already_there=2, failures={mp.PageStatus.EBUSY: 1})
        assert str(r) == "4 pages: 1 moved, 2 already there, 1 failed with EBUSY"
        assert str(mp.MoveResult(pages=1, moved=1)) == "1 page: 1 moved, 0 already there"
        assert str(mp.where(np.empty(0))) == "0 B in 0 pages: nothing"
        assert str(mp.where(memory.anonymous(1)[:1])).startswith("1 B in 1 page: absent")
        made = mp.Plan(pages=1, page_size=4096, flows={}, absent=1)
        assert made.remarks[1] == "1 page absent: no memory to move"

    def test_survives_pickling(self):
        r = mp.move(np.ones(10_000), mp.topology().allowed_nodes[0])
        copy = pickle.loads(pickle.dumps(r))
        assert copy == r
        assert np.array_equal(copy.status, r.status)


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
@pytest.mark.parametrize("of", [mp.where, lambda a: mp.move(a, mp.where(a))])
def test_copies_are_read_only_too(how, of):
    a = memory.anonymous(4 * memory.PAGE)
    a[memory.PAGE] = 1
    found = of(a)
    again = how(found)
    assert again == found
    assert str(again) == str(found)
    assert np.array_equal(again.runs, found.runs)
    assert np.array_equal(again.absences, found.absences)
    for records in (again.runs, again.absences):
        with pytest.raises(ValueError, match="read-only"):
            records["pages"] = 1


@pytest.mark.parametrize(
    ("code", "builtin"),
    [
        (errno.EPERM, PermissionError),
        (errno.EACCES, PermissionError),
        (errno.ESRCH, ProcessLookupError),
        (errno.ENOMEM, MemoryError),
        (errno.ENODEV, ValueError),
        (errno.EINVAL, ValueError),
        (errno.ENOSYS, NotImplementedError),
        (errno.EINTR, InterruptedError),
        (errno.EFAULT, OSError),
    ],
)
def test_every_errno_is_also_the_matching_builtin(code, builtin):
    error = make_error(code, "for a reason", status=np.zeros(2, np.int32))
    assert isinstance(error, mp.MovePagesError)
    assert isinstance(error, builtin)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (copy.errno, copy.status.tolist()) == (code, [0, 0])
    assert errno.errorcode[code] in str(copy)


@given(st.lists(st.tuples(STATUS, st.booleans()), max_size=60), st.integers(1, 60))
def test_runs_hold_every_page_for_any_chunk_size(pages, chunk):
    """A page is a status, and whether the page before it is its neighbour."""
    size = 4096
    status = np.array([s for s, _ in pages], np.int32)
    steps = np.array([1 if near else 3 for _, near in pages], np.uint64)
    addresses = (np.cumsum(steps) * np.uint64(size)).astype(np.uintp)
    first, last = (int(edge) for edge in (*addresses[:1], *addresses[-1:])) if pages else (0, 0)
    footprint = Footprint(first + 100, last + 3000 - first - 100, page_size=size)
    nbytes = np.minimum(addresses + np.uintp(size), np.uintp(last + 3000)).astype(np.int64)
    nbytes -= np.maximum(addresses, np.uintp(first + 100)).astype(np.int64)
    parts = [np.s_[i : i + chunk] for i in range(0, len(pages), chunk)]
    runs = join_runs([find_runs(addresses[part], status[part], footprint) for part in parts], size)
    assert np.array_equal(per_page_status(runs), status)
    assert totals(runs, "nbytes") == {
        s: int(nbytes[status == s].sum()) for s in sorted(set(status.tolist()))
    }
    ends = runs["address"] + (runs["pages"] * size).astype(np.uintp)
    joins = (ends[:-1] == runs["address"][1:]) & (runs["status"][:-1] == runs["status"][1:])
    assert not joins.any()


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"),
        (2**20 - 1, "1 MiB"), (64 << 20, "64 MiB"), (2**40, "1 TiB"), (2**64, "16 EiB"),
        (2**70, "1024 EiB"),
    ],
)  # fmt: skip
def test_bytes_as_people_read_them(count, text):
    assert format_bytes(count) == text
