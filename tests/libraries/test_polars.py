"""where() of what polars holds."""

import numpy as np
import pytest

import movepages as mp

pl = pytest.importorskip("polars")
pytest.importorskip("pyarrow")

from kinds_polars import KINDS, NUMBERS, N, categories, frame, texts  # noqa: E402


@pytest.mark.parametrize("make", [make for _, make in KINDS], ids=[name for name, _ in KINDS])
def test_nothing_is_copied_and_nothing_changes(make):
    obj = make()
    before = obj.clone()
    first, again = mp.where(obj), mp.where(obj)
    assert [each.address for each in first.values()] == [each.address for each in again.values()]
    assert first.nbytes >= min(obj.estimated_size(), 1 << 20)
    assert obj.equals(before)


@pytest.mark.parametrize("name", ["numbers", "nulls", "booleans", "dates", "datetimes", "decimals"])
def test_bytes_of_fixed_width_are_those_of_polars(name):
    series = dict(KINDS)[name]()
    assert mp.where(series).nbytes == series.estimated_size()


def test_strings_are_views_and_what_they_show():
    series = pl.Series(texts(1000))
    found = mp.where(series)
    assert list(found)[:2] == ["views", "data[0]"]
    assert found["views"].nbytes == 16 * 1000
    characters = sum(map(len, series))
    assert characters <= sum(p.nbytes for name, p in found.items() if name != "views")


def test_a_series_made_of_an_array_without_a_copy_is_where_the_array_is():
    series = pl.Series(np.arange(N))
    found = mp.where(series)
    assert found["data"].address == series.to_numpy(allow_copy=False).ctypes.data
    assert mp.where(series[1000:2000])["data"].address == found["data"].address + 8000


def test_chunks_are_numbered_if_there_are_several():
    series = pl.Series(NUMBERS)
    both = pl.concat([series, series.clone()], rechunk=False)
    assert both.n_chunks() == 2
    assert list(mp.where(both)) == ["[0].data", "[1].data"]
    assert both.n_chunks() == 2


def test_names():
    assert list(mp.where(frame()))[:3] == ["price.data", "['a b'].data", "name.views"]
    assert list(mp.where(categories(pl.Categorical()))) == ["data"]
    assert list(mp.where(pl.Series([{"x": 1, "y": "z"}]))) == ["x.data", "y.views"]
    nested = pl.Series([["a"], ["b"]], dtype=pl.List(pl.Categorical()))
    assert set(mp.where(nested)) - {"values.validity"} == {"offsets", "values.data"}
    enumeration = mp.where(categories(pl.Enum(["first category", "second category"])))
    assert list(enumeration)[:2] == ["indices.data", "dictionary.views"]


def test_the_codes_of_categories_are_their_own():
    series = categories(pl.Categorical())
    assert mp.where(series)["data"].address == mp.where(series.to_physical())["data"].address


def test_what_has_no_memory_is_refused():
    with pytest.raises(TypeError, match=r"LazyFrame, which is lazy: .*collect\(\) first"):
        mp.where(frame().lazy())
    with pytest.raises(TypeError, match="Object"):
        mp.where(pl.Series([object()], dtype=pl.Object))


@pytest.mark.skipif(not hasattr(pl, "Int128"), reason="needs a polars with Int128")
def test_a_type_that_pyarrow_lacks_is_refused():
    with pytest.raises(TypeError, match=r"^column: this pyarrow has no type .* Int128"):
        mp.where(pl.DataFrame({"column": pl.Series([1]).cast(pl.Int128)}))


def test_polars_needs_pyarrow(monkeypatch):
    def missing(self, **_):
        raise ModuleNotFoundError("pyarrow is not installed")

    monkeypatch.setattr(pl.Series, "to_arrow", missing)
    with pytest.raises(TypeError, match="needs pyarrow"):
        mp.where(pl.Series([1]))


def test_an_old_polars_is_refused(monkeypatch):
    monkeypatch.delattr(pl, "CompatLevel")
    with pytest.raises(TypeError, match="newer polars"):
        mp.where(pl.Series([1]))
