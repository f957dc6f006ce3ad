"""Files that the safetensors library wrote, by the names of their tensors."""

import numpy as np
import pytest

import movepages as mp

library = pytest.importorskip("safetensors.numpy")

ARRAYS = {
    "layers.0.weight": np.arange(1 << 16, dtype=np.float32).reshape(256, 256),
    "layers.0.bias": np.ones(256, np.float64),
    "é 'quoted' [1]": np.zeros((2, 3, 4), np.float16),
    "counts": np.arange(7, dtype=np.int8),
    "flags": np.array([True, False]),
}


def test_tensors_are_those_that_the_library_reads(tmp_path):
    file = tmp_path / "model.safetensors"
    library.save_file(ARRAYS, file, metadata={"format": "np"})
    ours, theirs = mp.cached_tensors(file), library.load_file(file)
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        assert ours[name].dtype == array.dtype
        np.testing.assert_array_equal(ours[name], array)
    found = mp.where(ours)
    assert found["layers.0.weight"].nbytes == 1 << 18
    assert found.nbytes == sum(array.nbytes for array in ARRAYS.values())
    assert found.absent_bytes == 0
