"""Adapters on objects that only look like those of a library."""

import types

import numpy as np
import pytest

import movepages as mp


def of_library(library: str, name: str, **attributes):
    """Return an object whose class seems to come from a library."""
    kind = type(name, (), {"__module__": library, **attributes})
    kind.__qualname__ = name
    return kind()


class Array:
    """Looks like an array of pyarrow with eight bytes an element."""

    type = types.SimpleNamespace(bit_width=64)

    def __init__(self, buffer, offset: int, length: int) -> None:
        self.buffer, self.offset, self.length = buffer, offset, length

    def __len__(self) -> int:
        return self.length

    def buffers(self) -> list:
        return [None, self.buffer]


Array.__module__ = "pyarrow.lib"


def test_a_buffer_on_a_device_is_refused() -> None:
    buffer = types.SimpleNamespace(is_cpu=False, address=4096, size=800)
    array = Array(buffer, 0, 100)
    with pytest.raises(TypeError, match="on a device, not in this process's memory"):
        mp.where(array)


def test_a_slice_ends_within_the_buffer() -> None:
    data = np.arange(100)
    buffer = types.SimpleNamespace(is_cpu=True, address=data.ctypes.data, size=data.nbytes)
    array = Array(buffer, 90, 10)
    found = mp.where(array)
    assert found["data"].address == data[90:].ctypes.data
    assert found["data"].nbytes == 80


def test_a_version_of_pandas_that_is_not_known_is_refused() -> None:
    column = of_library("pandas.core.arrays", "BaseMaskedArray", _data=np.ones(3))
    with pytest.raises(TypeError, match="BaseMaskedArray in a way that movepages does not know"):
        mp.where(column)


def test_a_lazy_frame_is_refused() -> None:
    with pytest.raises(TypeError, match=r"LazyFrame, which is lazy.*collect\(\) first"):
        mp.where(of_library("polars.lazyframe", "LazyFrame"))


def test_an_object_column_of_polars_is_refused() -> None:
    series = of_library("polars.series", "Series", dtype=of_library("polars", "Object"))
    with pytest.raises(TypeError, match="Object"):
        mp.where(series)
