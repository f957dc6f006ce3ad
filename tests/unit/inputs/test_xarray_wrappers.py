"""What xarray wraps around memory and around files, with classes that stand for its own."""

import numpy as np
import pytest

import movepages as mp
from library_fixtures import made


class Wrapped:
    __module__ = "xarray.core.indexing"

    def __init__(self, held) -> None:
        self.array = held


def named(name, held):
    return type(name, (Wrapped,), {"__module__": Wrapped.__module__})(held)


def variable(held):
    return made("xarray.core.variable", "Variable", _data=held)


def test_wrappers_of_xarray_around_memory() -> None:
    data = np.ones(100)
    cached = named("MemoryCachedArray", named("NumpyIndexingAdapter", data))
    assert mp.where(variable(cached)).address == data.ctypes.data


def test_wrappers_of_xarray_around_a_file() -> None:
    lazy = named("LazilyIndexedArray", named("NumpyIndexingAdapter", np.ones(100)))
    for held in (lazy, named("MemoryCachedArray", named("CopyOnWriteArray", lazy))):
        with pytest.raises(TypeError, match=r"not loaded; call \.load\(\)"):
            mp.where(variable(held))


def test_coordinates_that_xarray_computes_have_no_memory() -> None:
    computed = named("CoordinateTransformIndexingAdapter", None)
    data = np.ones(3)
    dataset = made(
        "xarray.core.dataset",
        "Dataset",
        variables={"x": variable(computed), "u": variable(data)},
    )
    assert list(mp.where(dataset)) == ["u"]


def test_another_version_of_xarray() -> None:
    with pytest.raises(TypeError, match="this version of xarray"):
        mp.where(made("xarray.core.variable", "Variable"))
