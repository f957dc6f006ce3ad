"""Safetensors files: names, shapes and bytes; and files that lie about themselves."""

import json

import numpy as np
import pytest

import movepages as mp
from support import memory, safetensors_files
from support.safetensors_files import with_header

PAGE = memory.PAGE
ARRAYS = {
    "model.layers.0.weight": np.arange(3 * PAGE, dtype=np.float32).reshape(3, PAGE),
    "bias": np.ones(5, np.float32),
    "no data": np.ones((0, 4), np.float32),
    "scalar": np.array(7, np.float32),
}


@pytest.fixture
def file(tmp_path):
    return safetensors_files.write(tmp_path / "model.safetensors", ARRAYS)


def test_tensors_are_those_of_the_file(file):
    found = mp.cached_tensors(file)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        if array.size:
            assert (found[name].shape, found[name].dtype) == (array.shape, array.dtype)
        assert not found[name].flags.writeable
        np.testing.assert_array_equal(found[name].reshape(-1).view(array.dtype), array.reshape(-1))


def test_tensors_have_placements_by_name(file):
    found = mp.where(mp.cached_tensors(file))
    weight = found["model.layers.0.weight"]
    assert weight.nbytes == ARRAYS["model.layers.0.weight"].nbytes
    assert weight.absent_bytes == 0
    assert found.nbytes == sum(array.nbytes for array in ARRAYS.values())
    assert list(found.below("model.layers")) == ["model.layers.0.weight"]
    node = mp.topology().allowed_nodes[0]
    assert mp.move(mp.cached_tensors(file), node).by_member["bias"].ok


def test_types_that_numpy_lacks(tmp_path):
    types = {"BF16": ("u2", 2), "F8_E4M3": ("u1", 1), "F8_E5M2": ("u1", 1), "F4": ("u1", 1)}
    header = {
        name: {"dtype": name, "shape": [3], "data_offsets": [0, 3 * size]}
        for name, (_, size) in types.items()
    }
    path = tmp_path / "file"
    path.write_bytes(with_header(json.dumps(header).encode(), bytes(6)))
    found = mp.cached_tensors(path)
    assert {name: (each.dtype.str[1:], each.nbytes // 3) for name, each in found.items()} == types


def tensor(**fields):
    sound = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    return with_header(json.dumps({"x": sound | fields}).encode(), bytes(8))


DAMAGED = {
    "empty": b"",
    "short": b"\x08\x00",
    "no header": with_header(b"", b"", 5),
    "length beyond the file": with_header(b"{}", b"", 3),
    "length of 2**63": with_header(b"{}", b"", 2**63),
    "length of 2**64 - 1": with_header(b"{}", b"", 2**64 - 1),
    "not JSON": with_header(b"{'x': 1}"),
    "not UTF-8": with_header(b'{"\xff": 1}'),
    "not an object": with_header(b"[1]"),
    "deep": with_header(b"[" * 200_000),
    "long number": with_header(b'{"x": ' + b"9" * 10_000 + b"}"),
    "twice": with_header(b'{"x": 1, "x": 2}'),
    "tensor is a list": with_header(b'{"x": []}'),
    "tensor is null": with_header(b'{"x": null}'),
    "no type": tensor(dtype=None),
    "type is a list": tensor(dtype=["F32"]),
    "no shape": tensor(shape=None),
    "negative dimension": tensor(shape=[-2]),
    "dimension is true": tensor(shape=[True, 2]),
    "dimension is a float": tensor(shape=[2.0]),
    "many dimensions": tensor(shape=[1] * 33 + [2]),
    "huge dimensions": tensor(shape=[2**62, 2**62]),
    "shape of other bytes": tensor(shape=[3]),
    "no offsets": tensor(data_offsets=None),
    "one offset": tensor(data_offsets=[0]),
    "three offsets": tensor(data_offsets=[0, 4, 8]),
    "offsets beyond": tensor(data_offsets=[8, 16]),
    "offsets of 2**70": tensor(data_offsets=[2**70, 2**70 + 8]),
    "offsets swapped": tensor(data_offsets=[8, 0]),
    "offset negative": tensor(data_offsets=[-8, 0]),
    "offset infinite": with_header(
        b'{"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, Infinity]}}', bytes(8)
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_files_that_lie_are_refused(tmp_path, name):
    path = tmp_path / "file"
    path.write_bytes(DAMAGED[name])
    with pytest.raises(ValueError, match="is not a safetensors file, or damaged: "):
        mp.cached_tensors(path)


def test_large_dimensions_of_no_data(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(tensor(shape=[0, 2**100], data_offsets=[4, 4]))
    assert mp.cached_tensors(path)["x"].size == 0


def test_damaged_files_at_random(tmp_path, file, pytestconfig):
    """Any change of a byte leaves a file that is refused, or tensors within the file."""
    whole = file.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    chosen = np.random.default_rng(1)
    path = tmp_path / "damaged"
    for _ in range(pytestconfig.getoption("damaged_files")):
        changed = bytearray(whole[: header + 64])
        for at in chosen.integers(0, header, chosen.integers(1, 4)):
            changed[at] = chosen.integers(0, 256)
        path.write_bytes(changed + whole[header + 64 :][: chosen.integers(0, len(whole))])
        try:
            found = mp.cached_tensors(path)
        except ValueError:
            continue
        assert sum(each.nbytes for each in found.values()) <= 4 * len(whole)
        assert all(int(each.reshape(-1).view(np.uint8).sum()) >= 0 for each in found.values())


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        mp.cached_tensors(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        mp.cached_tensors(tmp_path)
