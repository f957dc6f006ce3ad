"""where() of what narwhals wraps is where() of what is wrapped."""

import pytest

import movepages as mp

nw = pytest.importorskip("narwhals")
pytest.importorskip("pandas")

from kinds_narwhals import KINDS, frame  # noqa: E402
from looks import by_name  # noqa: E402


@pytest.mark.parametrize("make", [make for _, make in KINDS], ids=[name for name, _ in KINDS])
def test_a_wrapper_is_what_it_wraps(make, monkeypatch):
    obj = make()

    def export(*_):
        raise AssertionError("must not be exported")

    for kind in (nw.DataFrame, nw.Series):
        monkeypatch.setattr(kind, "__arrow_c_stream__", export)
    native = mp.where(obj.to_native())
    assert mp.where(obj) == native
    assert native.nbytes >= 1 << 20


def test_names_are_those_of_the_frame():
    assert "x" in by_name(frame())


def test_a_lazy_frame_is_refused():
    pl = pytest.importorskip("polars")
    with pytest.raises(TypeError, match=r"lazy: .*collect\(\) first"):
        mp.where(nw.from_native(pl.LazyFrame({"x": [1]})))
