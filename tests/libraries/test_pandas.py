"""where() of what pandas holds."""

import time

import numpy as np
import pytest

import movepages as mp

pd = pytest.importorskip("pandas")

from kinds_pandas import KINDS, NUMBERS, N, mixed, sparse, texts  # noqa: E402

# Old versions count the hash tables of an index, too.
CLOSE = 1e-4 if int(pd.__version__.split(".")[0]) > 2 else 0.05


def told_by_pandas(obj) -> int:
    used = obj.memory_usage(deep=True)
    # A RangeIndex has no memory, but counts.
    index = getattr(obj, "index", None)
    ranges = index.memory_usage() if isinstance(index, pd.RangeIndex) else 0
    return int(np.sum(used)) - ranges


def addresses(found) -> list[int]:
    return (
        [found.address] if isinstance(found, mp.Placement) else [p.address for p in found.values()]
    )


@pytest.mark.parametrize("make", [make for _, make in KINDS], ids=[name for name, _ in KINDS])
def test_bytes_are_those_of_pandas_and_nothing_changes(make):
    obj = make()
    before = obj.copy(deep=True)
    found = mp.where(obj)
    assert found.nbytes == pytest.approx(told_by_pandas(obj), rel=CLOSE)
    assert addresses(found) == addresses(mp.where(obj))
    assert obj.equals(before)


def test_columns_are_where_they_lie_in_their_blocks():
    frame = mixed()
    found = mp.where(frame)
    assert list(found)[:5] == ["price", "['a b']", "[3]", "when", "zone"]
    assert found["price"].address == frame["price"].array._ndarray.ctypes.data
    assert found["a b"].address == frame["a b"].array._ndarray.ctypes.data
    assert found[3].address == frame[3].array._ndarray.ctypes.data
    assert found["when"].address == frame["when"].array._ndarray.ctypes.data
    assert found["zone"].address == frame["zone"].array.asi8.ctypes.data
    assert found["kind.codes"].address == frame["kind"].array.codes.ctypes.data
    assert found["count.mask"].address == frame["count"].array._mask.ctypes.data
    assert found["name.pointers"].address == frame["name"].array._ndarray.ctypes.data
    assert found["index"].address == frame.index.asi8.ctypes.data


def test_a_frame_around_an_array_is_the_array():
    array = np.ones((1000, 30))
    frame = pd.DataFrame(array, copy=False)
    found = mp.where(frame)
    assert [each.address for each in found.values()] == [
        array.ctypes.data + 8 * column for column in range(30)
    ]
    assert found.total == mp.where(array)
    assert found.nbytes == array.nbytes


def test_a_series_of_one_array_is_one_memory():
    array = np.ones(N)
    assert mp.where(pd.Series(array, copy=False)) == mp.where(array)
    index = pd.Index(NUMBERS * 2)
    assert mp.where(index).nbytes == index.nbytes
    found = mp.where(pd.Series(array, index=index, copy=False))
    assert list(found) == ["values", "index"]
    assert found["values"] == mp.where(array)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: pd.array([1, None], dtype="Int8"), ["data", "mask"]),
        (lambda: pd.Categorical([2, 1]), ["codes", "categories"]),
        (lambda: pd.arrays.IntervalArray.from_breaks(NUMBERS[:9]), ["left", "right"]),
        (lambda: sparse("integer"), ["sp_values", "sp_index.indices"]),
        (lambda: sparse("block"), ["sp_values", "sp_index.blocs", "sp_index.blengths"]),
        (lambda: pd.Series(texts(9), dtype=object), ["pointers", "objects"]),
        (lambda: pd.Index(texts(9), dtype=object), ["pointers", "objects"]),
        (
            lambda: pd.MultiIndex.from_arrays([[1, 2], [3.0, 4.0]]),
            ["levels[0]", "levels[1]", "codes[0]", "codes[1]"],
        ),
        (lambda: pd.DataFrame([[1, 2.0]], columns=["x", "x"]), ["x", "x#2"]),
        (lambda: pd.DataFrame({"index": [1.0]}, index=[2]), ["index", "index#2"]),
        (lambda: {"df": pd.DataFrame({("a", 1): [1.0]})}, ["df[('a', 1)]"]),
    ],
)
def test_names(make, names):
    assert list(mp.where(make())) == names


@pytest.mark.parametrize("dtype", ["string[pyarrow]", "int64[pyarrow]"])
def test_what_lies_in_arrow_buffers(dtype):
    pytest.importorskip("pyarrow")
    series = pd.Series(["1", None, "3"], dtype="string[pyarrow]").astype(dtype)
    (chunk,) = series.array.__arrow_array__().chunks
    found = mp.where(series)
    assert addresses(found) == [each.address for each in chunk.buffers()]
    assert next(iter(mp.where(pd.concat([series, series])))) == "values[0].validity"


def test_arrays_among_objects():
    arrays = [np.ones(1000), "text", [np.ones(10)], None]
    found = mp.where(pd.DataFrame({"x": pd.Series(arrays, dtype=object)}))
    assert list(found) == ["x.pointers", "x.objects", "x[0]", "x[2][0]"]
    assert found["x[0]"] == mp.where(arrays[0])


def test_an_index_without_memory():
    with pytest.raises(TypeError, match="no array"):
        mp.where(pd.RangeIndex(N))
    assert list(mp.where(pd.DataFrame({"x": np.ones(9)}))) == ["x"]


def test_a_frame_as_one_sequence_has_no_axes():
    frame = pd.DataFrame({name: np.ones(9) for name in "abc"})
    with pytest.raises(TypeError, match=r"by_axis: .* got a DataFrame of 3 members; without"):
        mp.move(frame, mp.together(mp.by_axis(0, [0, 1])))


@pytest.mark.parametrize("empty", [pd.DataFrame(), pd.DataFrame(index=range(3))])
def test_an_empty_frame_has_no_bytes(empty):
    found = mp.where(empty)
    assert (list(found), found.nbytes) == ([], 0)
    assert mp.move(empty, mp.topology().allowed_nodes[0]).ok


def test_an_unknown_kind_of_column_is_refused(monkeypatch):
    class Theirs(pd.api.extensions.ExtensionArray):
        def __len__(self):
            return 9

    with pytest.raises(TypeError, match="got Theirs"):
        mp.where({"x": Theirs()})


class OfAnotherVersion:
    """A frame whose blocks are not as expected."""

    columns = pd.Index(["x", "y"])
    index = pd.RangeIndex(9)

    def __init__(self, manager):
        self._frame = pd.DataFrame({"x": np.ones(9), "y": np.arange(9)})
        self._mgr = manager

    def items(self):
        return self._frame.items()


@pytest.mark.parametrize("blocks", [None, [], [3], "no manager"])
def test_without_the_blocks_columns_are_found_by_the_public_way(blocks):
    class Manager:
        pass

    manager = Manager()
    if blocks != "no manager":
        manager.blocks = blocks
    frame = OfAnotherVersion(manager)
    kind = type("DataFrame", (OfAnotherVersion,), {"__module__": "pandas", "__slots__": ()})
    frame.__class__ = kind
    found = mp.where(frame)
    assert addresses(found) == addresses(mp.where(frame._frame))


@pytest.mark.parametrize("blocks", [1, 1000])
def test_a_thousand_columns_take_few_milliseconds(blocks):
    if blocks == 1:
        frame = pd.DataFrame(np.ones((1000, 1000)))
    else:
        frame = pd.DataFrame({f"c{column}": np.ones(1000) for column in range(1000)})
    mp.where(frame)
    took = []
    for _ in range(5):
        begin = time.perf_counter()
        found = mp.where(frame)
        took.append(time.perf_counter() - begin)
    assert found.nbytes == 8_000_000
    # 7 ms where nothing else runs.
    assert min(took) < 0.1
