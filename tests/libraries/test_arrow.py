"""where() of what pyarrow holds, and of what others export by the Arrow C data interface."""

import datetime
import sys
import types

import numpy as np
import pytest

import movepages as mp

pa = pytest.importorskip("pyarrow")

from arrow_addresses import buffers_of  # noqa: E402
from kinds_arrow import KINDS, N, table  # noqa: E402

WORDS = ["a", None, "three", "a string that has more than twelve bytes"]


@pytest.mark.parametrize("make", [make for _, make in KINDS], ids=[name for name, _ in KINDS])
def test_bytes_and_addresses_are_those_of_pyarrow(make):
    obj = make()
    before = obj.to_pylist()[:100]
    found = mp.where(obj)
    # The whole buffers, each once.
    sliced = getattr(obj, "offset", 0) > 0
    assert found.nbytes == (obj.nbytes if sliced else obj.get_total_buffer_size())
    known = buffers_of(obj)
    for name, each in found.items():
        start = max(address for address in known if address <= each.address)
        assert each.address + each.nbytes <= start + known[start], name
    assert {each.address for each in found.values()} == {
        each.address for each in mp.where(obj).values()
    }
    assert obj.to_pylist()[:100] == before


@pytest.mark.parametrize(
    ("array", "names"),
    [
        (pa.array([1, 2]), ["data"]),
        (pa.array([1, None]), ["validity", "data"]),
        (pa.array([True, None]), ["validity", "data"]),
        (pa.array([datetime.datetime(2020, 1, 1)]), ["data"]),
        (pa.array([b"abcd"], pa.binary(4)), ["data"]),
        (pa.array(WORDS), ["validity", "offsets", "data"]),
        (pa.array([b"x"]), ["offsets", "data"]),
        (pa.array(WORDS, pa.large_string()), ["validity", "offsets", "data"]),
        (pa.array([[1], None]), ["validity", "offsets", "values.data"]),
        (pa.array([[1]], pa.large_list(pa.int8())), ["offsets", "values.data"]),
        (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), ["values.data"]),
        (
            pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8())),
            ["offsets", "keys.offsets", "keys.data", "items.data"],
        ),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_names(array, names):
    found = mp.where(array)
    assert list(found) == names
    assert {each.address for each in found.values()} <= set(buffers_of(array))


def test_names_of_structs_and_dictionaries():
    structs = pa.StructArray.from_arrays([pa.array([1]), pa.array([None, 2])[1:]], ["x", "a b"])
    assert list(mp.where(structs)) == ["x.data", "['a b'].validity", "['a b'].data"]
    assert list(mp.where(pa.array(["a", "b"]).dictionary_encode())) == [
        "indices.data",
        "dictionary.offsets",
        "dictionary.data",
    ]


@pytest.mark.skipif(not hasattr(pa, "StringViewArray"), reason="needs a pyarrow with views")
def test_strings_as_views():
    array = pa.array(WORDS * 1000, pa.string_view())
    found = mp.where(array)
    assert list(found)[:3] == ["validity", "views", "data[0]"]
    assert set(buffers_of(array)) == {each.address for each in found.values()}
    assert found["views"].nbytes == 16 * len(array)


@pytest.mark.skipif(not hasattr(pa, "ListViewArray"), reason="needs a pyarrow with views")
def test_lists_as_views():
    array = pa.array([[1, 2], [3]], pa.list_view(pa.int64()))
    found = mp.where(array)
    assert {name: each.nbytes for name, each in found.items()} == {
        "offsets": 8,
        "sizes": 8,
        "values.data": 24,
    }
    large = pa.array([[1, 2], [3]], pa.large_list_view(pa.int64()))
    assert mp.where(large)["sizes"].nbytes == 16


@pytest.mark.skipif(not hasattr(pa, "RunEndEncodedArray"), reason="needs a pyarrow with run ends")
def test_run_ends():
    kind = pa.run_end_encoded(pa.int32(), pa.float64())
    array = pa.RunEndEncodedArray.from_arrays([3, 9], [0.5, 1.5], kind)
    found = mp.where(array)
    assert {name: each.nbytes for name, each in found.items()} == {
        "run_ends.data": 8,
        "values.data": 16,
    }


@pytest.mark.parametrize("mode", ["dense", "sparse"])
def test_unions(mode):
    types_, children = pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array([0.5, 1.5])]
    if mode == "dense":
        array = pa.UnionArray.from_dense(types_, pa.array([0, 0], pa.int32()), children, ["a", "b"])
    else:
        array = pa.UnionArray.from_sparse(types_, children, ["a", "b"])
    found = mp.where(array)
    assert list(found) == ["types", *(["offsets"] if mode == "dense" else []), "a.data", "b.data"]
    assert found.nbytes == array.get_total_buffer_size()


def test_an_extension_is_its_storage():
    class Celsius(pa.ExtensionType):
        def __init__(self):
            super().__init__(pa.float64(), "movepages.celsius")

        def __arrow_ext_serialize__(self):
            return b""

        @classmethod
        def __arrow_ext_deserialize__(cls, storage_type, serialized):
            return cls()

    storage = pa.array(np.ones(N))
    found = mp.where(pa.ExtensionArray.from_storage(Celsius(), storage))
    assert list(found) == ["data"]
    assert found["data"].address == storage.buffers()[1].address


def test_a_slice_is_its_part_of_buffers_of_fixed_width():
    array = pa.array([1, None] * 5000).slice(1001, 100)
    found = mp.where(array)
    validity, data = array.buffers()
    assert (found["data"].address, found["data"].nbytes) == (data.address + 8008, 800)
    assert (found["validity"].address, found["validity"].nbytes) == (validity.address + 125, 13)
    texts = pa.array(["some text"] * 1000).slice(10, 20)
    found = mp.where(texts)
    assert found["offsets"].address == texts.buffers()[1].address + 40
    assert found["offsets"].nbytes == 84
    assert found["data"].address == texts.buffers()[2].address + 90
    assert found["data"].nbytes == 180
    lists = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(1000)), 4).slice(10, 20)
    assert mp.where(lists)["values.data"].nbytes == 20 * 4 * 8
    structs = pa.array([{"x": 1}] * 1000).slice(10, 20)
    assert mp.where(structs)["x.data"].nbytes == 160


TEXTS = [f"a string of some length {number}" for number in range(10_000)]
SLICED = {
    "strings": pa.array(TEXTS),
    "large strings": pa.array(TEXTS, pa.large_string()),
    "bytes with nulls": pa.array([b"some", None, b"", b"bytes"] * 3000),
    "lists": pa.array([[1.5, 2.5], [], [3.5]] * 3000),
    "large lists of strings": pa.array([TEXTS[:3], TEXTS[3:5]] * 3000, pa.large_list(pa.string())),
    "maps": pa.array([[("a", 1)], [("b", 2), ("c", 3)]] * 3000, pa.map_(pa.string(), pa.int8())),
}


@pytest.mark.parametrize("name", SLICED)
@pytest.mark.parametrize(("start", "count"), [(0, 1), (0, 5999), (1, 5999), (4321, 77)])
def test_a_slice_is_its_part_of_buffers_of_variable_width(name, start, count):
    part = SLICED[name].slice(start, count)
    before = part.to_pylist()
    # One that has these elements alone; bits of nulls may begin within a byte, or be left out.
    alone = pa.array(before, part.type)
    bits = 2 if "nulls" in name else 0
    assert abs(mp.where(part).nbytes - mp.where(alone).nbytes) <= bits
    assert part.to_pylist() == before


def test_offsets_that_are_not_in_memory_are_not_read():
    count = 1 << 18
    held = mp.empty(4 * (count + 1), np.uint8)
    buffer = pa.py_buffer(held)
    text = pa.py_buffer(bytes(1000))
    array = pa.StringArray.from_buffers(count, buffer, text)
    part = array.slice(1000, 100)
    found = mp.where(part)
    assert found["data"].nbytes == 1000
    assert mp.where(held).absent_bytes == held.nbytes
    assert found["offsets"].absent_pages == found["offsets"].pages
    held[:] = 0
    assert mp.where(part)["data"].nbytes == 0


def test_names_of_tables():
    found = mp.where(table())
    assert list(found) == [
        "price[0].data",
        "['a b'][0].data",
        "name[0].offsets",
        "name[0].data",
    ]
    assert list(found.below("['a b']")) == ["['a b'][0].data"]
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["x", "x"])
    assert list(mp.where(twice)) == ["x[0].data", "x[0].data#2"]


def test_buffers_and_tensors():
    buffer = pa.array(np.arange(N)).buffers()[1]
    assert mp.where(buffer).address == buffer.address
    assert mp.where(buffer).nbytes == buffer.size
    array = np.ones((1000, 10))
    assert mp.where(pa.Tensor.from_numpy(array)).address == array.ctypes.data


@pytest.mark.parametrize("columns", [{}, {"x": pa.nulls(100)}])
def test_a_table_without_memory_has_no_bytes(columns):
    found = mp.where(pa.table(columns))
    assert (list(found), found.nbytes) == ([], 0)


def test_what_has_no_memory_is_refused():
    with pytest.raises(TypeError, match="no array"):
        mp.where(pa.nulls(100))
    with pytest.raises(TypeError, match=r"Int64Scalar.*array\[i:i\+1\]"):
        mp.where(pa.array([1])[0])
    reader = table().to_reader()
    with pytest.raises(TypeError, match="read only once"):
        mp.where(reader)
    assert reader.read_all().num_rows == N


class Exports:
    """Exports an array that it keeps, or a new one each time."""

    def __init__(self, keep):
        self.array = pa.array(np.arange(N))
        self.keep = keep

    def __arrow_c_array__(self, requested_schema=None):
        array = self.array if self.keep else pa.array(np.arange(N))
        return array.__arrow_c_array__(requested_schema)


class Streams:
    def __init__(self):
        self.array = pa.chunked_array([np.arange(N), np.arange(N)])

    def __arrow_c_stream__(self, requested_schema=None):
        return self.array.__arrow_c_stream__(requested_schema)


exports = pytest.mark.skipif(
    int(pa.__version__.partition(".")[0]) < 16, reason="needs a pyarrow that takes exports"
)


@exports
def test_whatever_exports_its_own_memory():
    obj = Exports(keep=True)
    found = mp.where(obj)
    assert list(found) == ["data"]
    assert found["data"].address == obj.array.buffers()[1].address
    assert list(mp.where({"column": Streams()})) == ["column[0].data", "column[1].data"]


@exports
def test_whatever_exports_a_copy_is_refused():
    with pytest.raises(TypeError, match=r"Arrow export of this Exports is .* copy"):
        mp.where(Exports(keep=False))


@exports
def test_a_stream_that_is_read_once_is_refused_unread():
    class Once(Streams):
        def __arrow_c_stream__(self, requested_schema=None):
            raise AssertionError("must not be exported")

        def read_next_batch(self):
            raise AssertionError("must not be read")

    with pytest.raises(TypeError, match="read only once"):
        mp.where(Once())
    lazy = type("DuckDBPyRelation", (Once,), {"__module__": "duckdb"})
    with pytest.raises(TypeError, match="lazy"):
        mp.where(lazy())


@pytest.mark.parametrize("module", [None, types.SimpleNamespace(__version__="15.0.2")])
def test_exports_need_pyarrow(monkeypatch, module):
    monkeypatch.setitem(sys.modules, "pyarrow", module)
    with pytest.raises(TypeError, match="needs pyarrow 16"):
        mp.where(Exports(keep=True))


@exports
def test_nanoarrow():
    nanoarrow = pytest.importorskip("nanoarrow")
    array = nanoarrow.Array(range(1000), nanoarrow.int64())
    found = mp.where(array)
    assert found["[0].data"].nbytes == 8000
    stream = nanoarrow.ArrayStream(range(1000), nanoarrow.int64())
    with pytest.raises(TypeError, match="read only once"):
        mp.where(stream)
    assert stream.read_all().to_pylist() == list(range(1000))
