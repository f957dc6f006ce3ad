"""where() of arrays of Python objects and strings."""

import ctypes
import mmap
import signal
import sys
import time
import tracemalloc

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from movepages.inputs import object_arrays
from movepages.pages.named import NamedFootprints
from movepages.pages.pieces import Pieces


def texts(count: int) -> list[str]:
    return [f"string number {number}" for number in range(count)]


def as_objects(values) -> np.ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def test_pointers_and_the_objects_behind_them() -> None:
    array = as_objects([*texts(1000), *range(1000, 2000), 10**30, 0.5, b"bytes", 2j])
    found = mp.where(array)
    assert list(found) == ["pointers", "objects"]
    assert found["pointers"].address == array.ctypes.data
    assert found["pointers"].nbytes == array.nbytes
    assert found["objects"].nbytes == sum(map(sys.getsizeof, array))
    assert found["objects"].address == min(map(id, array))
    assert found.nbytes == array.nbytes + found["objects"].nbytes
    assert found["objects"].absent_pages == 0


@pytest.mark.parametrize("text", ["ascii", "größer", "☃ snow", "😀 smile"])
def test_a_cached_copy_of_a_string_in_utf8_lies_elsewhere(text) -> None:
    text = text * 1000
    size = sys.getsizeof(text)
    ctypes.pythonapi.PyUnicode_AsUTF8.restype = ctypes.c_char_p
    ctypes.pythonapi.PyUnicode_AsUTF8.argtypes = [ctypes.py_object]
    ctypes.pythonapi.PyUnicode_AsUTF8(text)
    address, nbytes = _core.object_blocks([text])
    assert (address[0], nbytes[0]) == (id(text), size)


def test_objects_that_all_of_python_shares_are_left_out() -> None:
    shared = [None, True, False, 0, -5, 256, "", "a", "\xff", b"", b"x", int]
    assert _core.object_blocks(shared)[1].tolist() == [0] * len(shared)
    own = [257, -6, "ab", "\u0100", b"ab", 2**63, -(2**63)]
    assert _core.object_blocks(own)[1].tolist() == list(map(sys.getsizeof, own))


def test_a_subclass_keeps_its_characters_elsewhere() -> None:
    class Text(str):
        __slots__ = ()

    assert _core.object_blocks([Text("a" * 1000)])[1][0] == Text.__basicsize__


def test_each_object_counts_once() -> None:
    text = "a string of some length"
    assert mp.where(as_objects([text] * 1000))["objects"].nbytes == sys.getsizeof(text)


def test_arrays_and_containers_are_members_by_index() -> None:
    inside = np.ones(100)
    array = as_objects([inside, "text", [inside[:10], 3], {"x": inside}, bytearray(100), None])
    found = mp.where({"a": array})
    assert list(found) == ["a.pointers", "a.objects", "a[0]", "a[2][0]", "a[3].x", "a[4]"]
    assert found["a[0]"] == mp.where(inside)


def test_an_array_that_contains_itself() -> None:
    array = as_objects([None, "text"])
    array[0] = array
    assert list(mp.where(array)) == ["pointers", "objects"]


def test_an_array_of_several_dimensions_and_a_part_of_one() -> None:
    array = as_objects(texts(100)).reshape(10, 10)
    part = array[::2, ::3]
    found = mp.where(part)
    assert found["pointers"].shape == (5, 4)
    assert found["pointers"].nbytes == 20 * 8
    assert found["objects"].nbytes == sum(map(sys.getsizeof, part.flat))


def test_a_masked_array_of_objects() -> None:
    masked = np.ma.masked_array(as_objects(texts(3)), [0, 1, 0])
    assert list(mp.where(masked)) == ["data.pointers", "data.objects", "mask"]


@pytest.mark.parametrize("kind", [np.ndarray, np.recarray])
def test_fields_of_records_that_are_objects(kind) -> None:
    inner = [("text", "O"), ("number", "f8")]
    array = np.ones(1000, [("key", "O"), ("inner", inner), ("plain", "i4")]).view(kind)
    array["key"], array["inner"]["text"] = texts(1000), [f"other {i}" for i in range(1000)]
    array["key"][7] = inside = np.ones(100)
    for found in (mp.where(array), mp.where([array]), mp.where({"of": array})):
        names = [name.removeprefix("[0].").removeprefix("of.") for name in found]
        assert names == ["records", "key.objects", "key[7]", "inner.text.objects"]
        sizes = dict(zip(names, found.values(), strict=True))
        assert sizes["records"].nbytes == array.nbytes
        assert sizes["key[7]"] == mp.where(inside)
        behind = [each for each in array["key"] if each is not inside]
        assert sizes["key.objects"].nbytes == sum(map(sys.getsizeof, behind))
        assert sizes["inner.text.objects"].nbytes == sum(map(sys.getsizeof, array["inner"]["text"]))
    assert array["key"][7] is inside


def test_records_of_a_column_of_several_objects() -> None:
    array = np.empty(2, [("pair", "O", 2)])
    array["pair"] = [["a long text", None], [np.ones(9), "another"]]
    assert list(mp.where(array)) == ["records", "pair.objects", "pair[2]"]


@pytest.mark.parametrize("kind", [np.matrix, np.recarray])
def test_other_arrays_of_a_class_of_numpy_are_one_memory(kind) -> None:
    array = np.ones((3, 4)).view(kind)
    assert mp.where(array) == mp.where(np.asarray(array))
    assert mp.where({"a": array})["a"].shape == (3, 4)


def test_an_empty_array_has_pointers_alone() -> None:
    assert list(mp.where(np.empty(0, object))) == ["pointers"]


@pytest.mark.host
def test_many_strings_take_little_time() -> None:
    array = as_objects(texts(100_000))
    begin = time.process_time()
    found = mp.where(array)
    # 20 ms.
    assert time.process_time() - begin < 1
    assert found["objects"].nbytes == sum(map(sys.getsizeof, array))


def test_portions_make_no_difference(monkeypatch) -> None:
    inside, array = np.ones(100), as_objects(texts(1000))
    array[[3, 500, 999]] = [inside, [inside], {"x": inside}]
    whole = mp.where(array)
    monkeypatch.setattr(object_arrays, "_PORTION", 7)
    parts = mp.where(array)
    assert list(parts) == ["pointers", "objects", "[3]", "[500][0]", "[999].x"]
    assert parts == whole
    assert parts["objects"].nbytes == whole["objects"].nbytes


@pytest.mark.host
def test_a_million_objects_take_little_memory() -> None:
    array = as_objects(texts(1_000_000))
    np.random.default_rng(0).shuffle(array)
    tracemalloc.start()
    try:
        found = mp.where(array)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found["objects"].nbytes == sum(map(sys.getsizeof, array))
    # Begin and end of each object, for itself and among all, and what a sort of these needs.
    assert kept < 50 * len(array)
    assert peak < 80 * len(array)


@pytest.mark.host
def test_a_signal_is_handled_while_objects_are_looked_at() -> None:
    array = as_objects(texts(1_000_000))

    def handle(*_) -> None:
        raise KeyboardInterrupt

    # Sent and measured by CPU time, so that other processes make no difference.
    before = signal.signal(signal.SIGPROF, handle)
    try:
        begin = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, 0.02)
        with pytest.raises(KeyboardInterrupt):
            mp.where(array)
        since = time.process_time() - begin - 0.02
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    # 10 ms; all of it takes 200 ms.
    assert since < 0.1


def test_objects_can_be_moved() -> None:
    array = as_objects(texts(1000))
    before = list(array)
    placed = mp.where(array)
    (node, *_) = placed.bytes_per_node
    result = mp.move(array, node)
    assert result.pages == placed.pages
    assert list(array) == before


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="needs numpy 2")
def test_strings_of_numpy_are_refused() -> None:
    array = np.array(["text"], np.dtypes.StringDType())
    with pytest.raises(TypeError, match=r"StringDType.*Region\(array.ctypes.data, array.nbytes\)"):
        mp.where(array)
    with pytest.raises(TypeError, match=r"^names\[0\]: got an array of StringDType"):
        mp.where({"names": [array]})


def test_a_member_of_several_pieces() -> None:
    begins = np.array([8192, 4096 * 9], np.uintp)
    pieces = Pieces(begins, np.array([100, 50]), (), mmap.PAGESIZE)
    members = NamedFootprints(["a", "b"], [8192 + 50, 0], [100, 0], {1: pieces}, {}, 4096, 0)
    assert members.sizes == [100, 150]
    assert members[1] is pieces
    assert members.pieces.nbytes == 200
    assert members.only([1]).pieces.nbytes == 150


def test_placements_of_objects_are_saved(tmp_path) -> None:
    found = mp.where({"x": as_objects(texts(1000)), "y": np.ones((30, 40))[::2], "z": [b"ab"]})
    file = tmp_path / "found.npz"
    found.save(file)
    again = mp.Placements.load(file)
    assert again == found
    assert again["x.objects"].pages == found["x.objects"].pages
    assert again["x.objects"].bytes_per_node == found["x.objects"].bytes_per_node
