"""Lists and dicts of plain arrays, which the core reads in one loop, against them one by one."""

import mmap
import pickle
import threading
from types import MappingProxyType

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from movepages.inputs.members import members_of_list
from movepages.inputs.memory_of import memory_of
from movepages.pages.named import ListNames

# Arrays are read alike on every kernel.
pytestmark = pytest.mark.host

PAGE = mmap.PAGESIZE


class Sub(np.ndarray):
    pass


def by_name(arrays):
    """Return what a mapping of the same arrays gives, which is read array by array."""
    return mp.where(MappingProxyType({f"a{index}": each for index, each in enumerate(arrays)}))


def both(arrays):
    """Return what both ways tell while the kernel joins and moves no pages of the arrays."""
    for _ in range(20):
        before, found = by_name(arrays), mp.where(arrays)
        if by_name(arrays) == before:
            return found, before
    pytest.fail("the kernel changed the pages of these arrays at each of 20 looks")


PLAIN = {
    "one": lambda: [np.ones(100)],
    "many": lambda: [np.ones(100) for _ in range(2000)],
    "dtypes": lambda: [
        np.ones(9, each) for each in ("u1", ">i4", "f8", "c16", "S3", "M8[s]", "V5", "i4,u8")
    ],
    "axes": lambda: [np.ones((3, 4)), np.ones(5), np.ones((2, 3, 4)), np.array(1.0)],
    "empty": lambda: [np.ones(0), np.ones(7), np.ones((0, 5)), np.empty(3, "V0")],
    "twice": lambda: [array := np.ones(3000), array, array[5:], array[100:200]],
    "unaligned": lambda: [np.zeros(801, np.uint8)[1:].view("f8")],
    "neighbours": lambda: [(whole := np.ones(3 * PAGE, np.uint8))[:PAGE], whole[PAGE:]],
    "backwards": lambda: [np.ones(9 * PAGE, np.uint8)[low:][:99] for low in (9000, 5000, 0)],
    "read-only": lambda: [np.frombuffer(bytes(5000), np.uint8)],
}
OTHERS = {
    "subclass": lambda: [np.ones(5), np.ones(5).view(Sub)],
    "strided": lambda: [np.ones(5), np.ones((300, 300))[:, 1]],
    "fortran": lambda: [np.ones(5), np.asfortranarray(np.ones((300, 300)))],
    "scalar": lambda: [np.ones(5), 1.0, "text", None, np.float64(1)],
    "nested": lambda: [np.ones(5), [np.ones(6), np.ones(7)]],
    "bytes": lambda: [np.ones(5), bytearray(5000)],
}


@pytest.mark.parametrize("kind", [list, tuple])
@pytest.mark.parametrize("name", PLAIN)
def test_plain_arrays_are_read_in_one_loop(name, kind):
    arrays = kind(PLAIN[name]())
    members = members_of_list(arrays, kind.__name__)
    assert members is not None
    assert memory_of(arrays)[0].kind == kind.__name__
    assert all(mine is given for mine, given in zip(members.arrays, arrays, strict=True))
    found, expected = both(arrays)
    assert list(found) == [f"[{index}]" for index in range(len(arrays))]
    assert list(found.values()) == list(expected.values())
    assert found.total == expected.total
    for each, array in zip(found.values(), arrays, strict=True):
        assert (each.address, each.nbytes) == (array.ctypes.data, array.nbytes)
        many = array.ndim > 1
        assert (each.shape, each.strides) == ((array.shape, array.strides) if many else ((), ()))
    assert found.total.shared_edges == partly_held(arrays)


def keyed(arrays):
    """Return a dict with keys that are named in several ways."""
    keys = ["w", "a b", 3, -1, "[3]", "x.y", "", "3"]
    return {**dict(zip(keys, arrays, strict=False)), **dict(enumerate(arrays[len(keys) :], 100))}


@pytest.mark.parametrize("name", PLAIN)
def test_dicts_and_what_they_hold_are_read_alike(name):
    arrays = keyed(PLAIN[name]())
    held = {"parts": {"first": arrays, 2: [*arrays.values()]}, "last": np.ones(5)}
    one_by_one = MappingProxyType(arrays)
    closer = {"parts": {"first": one_by_one, 2: [*arrays.values(), 0]}, "last": held["last"]}
    for _ in range(20):
        before = mp.where(one_by_one), mp.where(closer)
        found = mp.where(arrays), mp.where(held)
        if (mp.where(one_by_one), mp.where(closer)) == before:
            break
    else:
        pytest.fail("the kernel changed the pages of these arrays at each of 20 looks")
    for mine, expected in zip(found, before, strict=True):
        assert list(mine) == list(expected)
        assert list(mine.values()) == list(expected.values())
        assert mine.total == expected.total


@pytest.mark.parametrize("key", [("a", 1), 1.5, None, True, b"a", frozenset()])
def test_a_dict_with_other_keys(key):
    arrays = {"a": np.ones(5), key: np.ones(6)}
    found = mp.where(arrays)
    assert list(found) == ["a", f"[{key!r}]"]
    assert found.nbytes == 88


def test_a_key_that_raises_when_it_is_shown():
    class Key:
        def __repr__(self):
            raise ValueError("not now")

    with pytest.raises(ValueError, match=r"^parts: not now"):
        mp.where({"parts": {Key(): np.ones(5)}})


def partly_held(arrays):
    """Count the pages of which some bytes are in arrays, and some are not."""
    held = set()
    for each in arrays:
        held.update(range(each.ctypes.data, each.ctypes.data + each.nbytes))
    pages = [address // PAGE for address in held]
    return sum(count < PAGE for count in np.unique(pages, return_counts=True)[1].tolist())


@pytest.mark.parametrize("name", OTHERS)
def test_other_members_take_a_closer_look(name):
    arrays = OTHERS[name]()
    assert _core.contiguous_arrays(arrays) is None
    assert members_of_list(arrays, "list") is None
    found = mp.where(arrays)
    assert found["[0]"] == mp.where(arrays[0])
    assert found.nbytes >= arrays[0].nbytes


def test_arrays_of_objects_are_refused_or_followed_as_before():
    for dtype in (object, np.dtype([("a", object)])):
        assert _core.contiguous_arrays([np.ones(5), np.empty(3, dtype)]) is None


def test_names_of_a_list():
    names = ListNames(12)
    assert list(names) == [names[index] for index in range(12)] == [f"[{i}]" for i in range(12)]
    assert (names[-1], names[2:4], len(names)) == ("[11]", ["[2]", "[3]"], 12)
    assert "[3]" in names
    assert "[12]" not in names
    with pytest.raises(IndexError):
        names[12]


def test_members_are_found_by_index_and_name():
    arrays = [np.ones(5), np.ones((6, 7))]
    found = mp.where(arrays)
    assert found[1] == found["[1]"] == mp.where(arrays[1])
    assert 2 not in found
    assert "[2]" not in found
    with pytest.raises(KeyError):
        found["[01]"]
    copy = pickle.loads(pickle.dumps(found))
    assert copy == found
    assert list(copy) == list(found)


def test_saved_placements_of_a_list(tmp_path):
    found = mp.where([np.ones(5), np.ones((6, 7))])
    found.save(tmp_path / "list.npz")
    assert mp.Placements.load(tmp_path / "list.npz") == found


def test_no_array_is_kept_alive():
    import weakref

    arrays = [np.ones(5), np.ones((6, 7))]
    gone = [weakref.ref(each) for each in arrays]
    found = mp.where(arrays)
    del arrays
    assert all(each() is None for each in gone)
    assert found.nbytes == 47 * 8


def test_a_list_that_changes_meanwhile():
    arrays = [np.ones(100) for _ in range(3000)]
    done = threading.Event()

    def change():
        while not done.is_set():
            arrays.pop()
            arrays.insert(0, np.ones(100))
            arrays[7] = np.ones(3)
            arrays[7] = np.ones(100)

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(50):
            assert len(mp.where(arrays)) in (2999, 3000, 3001)
    finally:
        done.set()
        changing.join()
