"""The fast path of where() gives the same placement as the full query, field by field."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import movepages as mp
from movepages import _core
from movepages.query import where as where_module
from movepages.query.fast_path import placement_on_one_node
from support import memory

PAGE = memory.PAGE
NODE = mp.topology().allowed_nodes[0]
PLACED = memory.anonymous(80 * PAGE, NODE)
FAR = np.ndarray((3,), np.int32, buffer=PLACED, offset=5)


def in_full(a, **kept):
    return mp.where(a, shortcuts=np.True_, **kept)


def check(a):
    fast, full = placement_on_one_node(a), in_full(a)
    assert type(fast) is mp.Placement
    mine, others = vars(fast), vars(full)
    assert mine.keys() == others.keys()
    for name, value in others.items():
        assert type(mine[name]) is type(value), name
        if isinstance(value, np.ndarray):
            assert mine[name].dtype == value.dtype
            assert mine[name].tolist() == value.tolist()
            assert not mine[name].flags.writeable
        else:
            assert mine[name] == value, name
    assert fast == full
    for again in (pickle.loads(pickle.dumps(fast)), copy.deepcopy(fast), copy.copy(fast)):
        assert again == full
        assert vars(again).keys() == vars(full).keys()
        assert not again.runs.flags.writeable
    assert (repr(fast), str(fast), fast.strip(7)) == (repr(full), str(full), full.strip(7))
    assert fast._repr_html_() == full._repr_html_()
    assert fast.addresses.tolist() == full.addresses.tolist()
    assert fast.status.tolist() == full.status.tolist() == [NODE] * fast.pages
    assert fast.bytes_per_node == full.bytes_per_node
    assert (fast.absent_bytes, fast.hidden_bytes, fast.absent_reasons) == (0, 0, {})
    return fast


@pytest.mark.parametrize("pages", [1, 2, 17, 31, 32, 33, 62, 63])
@pytest.mark.parametrize("start", [0, 5, PAGE - 1])
@pytest.mark.parametrize("less", [0, 1, PAGE - 1])
def test_fast_path_agrees_with_the_full_query(pages, start, less):
    check(PLACED[start : start + pages * PAGE - less])


@given(start=st.integers(0, 3 * PAGE), nbytes=st.integers(1, 63 * PAGE))
def test_any_bytes(start, nbytes):
    check(PLACED[start : start + nbytes])


@pytest.mark.parametrize(
    "a",
    [
        PLACED[: 60 * PAGE].view(np.float64).reshape(-1, 8, 4), FAR, FAR.reshape(3, 1, 1),
        PLACED[:1].reshape(()), PLACED[: 8 * PAGE].view("i4,f4"), PLACED[:PAGE].view("M8[s]"),
        PLACED[: 8 * PAGE].view("S8").reshape(2, -1),
        PLACED[:8000].view(np.int64), PLACED[:9600].view(np.float64).reshape(30, 40),
    ],
)  # fmt: skip
def test_shapes_and_types(a):
    check(a)


def test_read_only_memory():
    a = PLACED[: 5 * PAGE].view(np.float64)
    a.flags.writeable = False
    check(a)


def test_a_placement_that_is_saved(tmp_path):
    fast = check(PLACED[: 7 * PAGE].reshape(7, -1))
    fast.save(tmp_path / "placement.npz")
    assert mp.Placement.load(tmp_path / "placement.npz") == fast


def test_huge_pages():
    size = memory.huge_page_size()
    if not size:
        pytest.skip("no transparent huge pages here")
    a = memory.anonymous(size, huge=True)
    memory.bind(a, NODE)
    a[:] = 1
    # Each check looks twice, and khugepaged could join small pages between the looks.
    memory.keep_as_it_is(a)
    for part in (a[: 63 * PAGE], a[5:100], a[size - 40 * PAGE + 1 :]):
        assert check(part).huge_bytes in (part.nbytes, 0, None)


def test_no_huge_pages_are_told_where_the_kernel_cannot_scan(monkeypatch):
    found = mp.where(PLACED[:PAGE])
    assert found.huge_bytes in (0, None)
    told = (*_core.small_on_one_node(PLACED[:PAGE])[:-1], None)
    monkeypatch.setattr("movepages.query.fast_path._core.small_on_one_node", lambda _: told)
    assert mp.where(PLACED[:PAGE]).huge_bytes is None


class Subclass(np.ndarray):
    pass


@pytest.mark.parametrize(
    "a",
    [
        PLACED, PLACED[5 : 63 * PAGE + 6], PLACED[:0], PLACED[: 8 * PAGE : 2], PLACED[:PAGE][::-1],
        np.asfortranarray(np.ones((20, 30))), np.broadcast_to(PLACED[:9], (3, 9)),
        np.array([object(), None]), PLACED[:PAGE].view(Subclass), np.ma.MaskedArray(PLACED[:PAGE]),
        memoryview(PLACED[:PAGE]), mp.Region(PLACED.ctypes.data, PAGE), [PLACED[:PAGE]],
        np.zeros(0, "V0"),
    ],
)  # fmt: skip
def test_everything_else_is_left_to_the_full_query(a):
    assert placement_on_one_node(a) is None
    assert mp.where(a) == in_full(a)


@pytest.mark.parametrize("what", [None, 5, "text"])
def test_errors_are_left_to_the_full_query(what):
    assert placement_on_one_node(what) is None
    with pytest.raises(TypeError, match="expected an object that exposes its memory"):
        mp.where(what)


@pytest.mark.parametrize("absent", [0, 3, 6])
def test_an_absent_page_is_left_to_the_full_query(absent):
    a = memory.anonymous(7 * PAGE, NODE)
    memory.discard(a[absent * PAGE :][:PAGE])
    assert placement_on_one_node(a) is None
    assert mp.where(a).absent_reasons == {mp.Absence.UNTOUCHED: 1}


def test_the_zero_page_is_left_to_the_full_query():
    a = memory.anonymous(2 * PAGE)
    assert a[0] == 0
    assert placement_on_one_node(a) is None
    assert placement_on_one_node(a[:PAGE]) is None


@pytest.mark.parametrize("kept", [{"threads": 1}, {"shortcuts": False}])
def test_other_arguments_are_left_to_the_full_query(monkeypatch, kept):
    monkeypatch.setattr(where_module, "placement_on_one_node", None)
    assert mp.where(PLACED[:PAGE], **kept).pages == 1


def test_memory_at_the_end_of_all_addresses():
    class Last:
        def __init__(self):
            self.__array_interface__ = {
                "version": 3, "shape": (100,), "typestr": "|u1", "data": (2**64 - PAGE, False),
            }  # fmt: skip

    a = np.asarray(Last())
    assert placement_on_one_node(a) is None
    assert mp.where(a).absent_pages == 1
    assert mp.move(a, NODE).failed == 1
