"""where() of awkward arrays, against the arrays of their layouts."""

import numpy as np
import pytest

import movepages as mp

ak = pytest.importorskip("awkward")

RECORDS = [{"x": [1.1, 2], "y": "a", "z": 3}, {"x": [], "y": None, "z": "b"}]


def by_name(found):
    return {name: (each.address, each.nbytes) for name, each in found.items()}


def test_the_members_are_the_arrays_of_the_layout() -> None:
    array = ak.Array([[1.0, 2.0], [], [3.0]])
    offsets, data = array.layout.offsets.data, array.layout.content.data
    assert by_name(mp.where(array)) == {
        "node0-offsets": (offsets.ctypes.data, offsets.nbytes),
        "node1-data": (data.ctypes.data, data.nbytes),
    }


@pytest.mark.parametrize(
    "make",
    [
        lambda: ak.Array(RECORDS),
        lambda: ak.Array(RECORDS * 10)[3:7],
        lambda: ak.Array(RECORDS * 10)[["x", "y"]],
        lambda: ak.Array([[1, None], [2]]),
        lambda: ak.from_numpy(np.arange(24.0).reshape(4, 6)[:, ::2]),
        lambda: ak.from_numpy(np.arange(24.0).reshape(4, 6), regulararray=True),
        lambda: ak.to_layout(ak.Array([True, None, False])).to_BitMaskedArray(True, True),
        lambda: ak.from_numpy(np.ma.masked_array(np.ones(9), np.arange(9) % 2)),
        lambda: ak.from_numpy(np.array(["ab", "c"])),
        lambda: ak.from_numpy(np.arange(3).astype("M8[s]")),
    ],
)
def test_all_its_buffers_and_no_copies(make) -> None:
    array = ak.Array(make())
    before = ak.to_list(array)
    buffers = ak.to_buffers(array)[2]
    found = mp.where(array)
    wanted = {name: (each.ctypes.data, each.nbytes) for name, each in buffers.items()}
    assert by_name(found) == by_name(mp.where(array)) == wanted
    assert ak.to_list(array) == before


def test_the_memory_is_that_of_the_numpy_array_it_was_made_of() -> None:
    source = np.arange(1000.0)
    assert by_name(mp.where(ak.from_numpy(source))) == {
        "node0-data": (source.ctypes.data, source.nbytes)
    }


def test_a_virtual_array_is_refused_until_it_is_loaded() -> None:
    if not hasattr(ak.Array([1]).layout, "is_all_materialized"):
        pytest.skip("needs virtual arrays")
    made = []

    def buffer(values):
        made.append(1)
        return values

    form, length, buffers = ak.to_buffers(ak.Array([[1.0, 2.0], []]))
    lazy = {name: lambda each=each: buffer(each) for name, each in buffers.items()}
    array = ak.from_buffers(form, length, lazy)
    with pytest.raises(TypeError, match=r"not in this process's memory.*materialize"):
        mp.where(array)
    assert not made
    assert len(mp.where(ak.materialize(array))) == 2


def test_an_array_without_data_is_refused() -> None:
    with pytest.raises(TypeError, match="no data"):
        mp.where(ak.to_backend(ak.Array([1, 2]), "typetracer"))
