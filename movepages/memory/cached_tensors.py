"""The tensors of a safetensors file in the page cache, by name."""

from __future__ import annotations

import json
import math
import os
from typing import Any, NamedTuple, TypeGuard

import numpy as np
import numpy.typing as npt

from .page_cache import page_cache

# Longer headers are refused by the safetensors library, too.
_MOST_HEADER = 100_000_000
_LENGTH = 8
_METADATA = "__metadata__"
# numpy 1 has no more.
_MOST_DIMENSIONS = 32
# Types that numpy lacks have the bytes of another one. Others are read as bytes.
_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
    "F8_E4M3": "u1", "F8_E5M2": "u1", "F8_E8M0": "u1", "C64": "<c8",
}  # fmt: skip


class _Tensor(NamedTuple):
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def cached_tensors(
    file: str | os.PathLike[str], *, read: bool = False
) -> dict[str, npt.NDArray[Any]]:
    """Map a safetensors file, so that you can query and move its tensors in the page cache.

    Parameters
    ----------
    file : path
        A file of the safetensors format.
    read : bool, default False
        As for `page_cache`.

    Returns
    -------
    dict of str to ndarray, read-only
        The tensors by name, in the order of the file. A tensor of a type that numpy lacks is an
        array of unsigned integers of the same size (uint16 for bfloat16), or a one-dimensional
        array of bytes.

    Raises
    ------
    OSError, MovePagesError
        As for `page_cache`.
    ValueError
        The file is not a safetensors file, or its header is inconsistent. All of the header is
        checked before it is used.

    Notes
    -----
    Only the header is read from the disk, unless `read` is true. The arrays keep the file mapped.
    Source: the format's description, https://huggingface.co/docs/safetensors.

    Examples
    --------
    >>> import json, tempfile
    >>> header = json.dumps({"w": {"dtype": "F32", "shape": [2, 512], "data_offsets": [0, 4096]}})
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     text = header.encode()
    ...     written = file.write(len(text).to_bytes(8, "little") + text + bytes(4096))
    ...     file.flush()
    ...     tensors = cached_tensors(file.name)
    >>> tensors["w"].shape, where(tensors)["w"].absent_bytes
    ((2, 512), 0)
    """
    with open(file, "rb") as source:
        size = os.fstat(source.fileno()).st_size
        length = int.from_bytes(source.read(_LENGTH), "little")
        if size < _LENGTH or length > min(size - _LENGTH, _MOST_HEADER):
            raise _damaged(file, "it does not begin with the length of a header in the file")
        header = source.read(length)
    start = _LENGTH + length
    tensors = _parse(file, header, size - start)
    data = page_cache(file, read=read)
    # The file may have been cut off meanwhile.
    if data.size < size:
        raise _damaged(file, f"it has {data.size:,} bytes, and had {size:,} just before")
    return {name: _array(data[start:], each) for name, each in tensors.items()}


def _array(data: npt.NDArray[np.uint8], tensor: _Tensor) -> npt.NDArray[Any]:
    part = data[tensor.begin : tensor.end]
    if tensor.dtype not in _TYPES or not part.size:
        return part
    return part.view(_TYPES[tensor.dtype]).reshape(tensor.shape)


def _parse(file: str | os.PathLike[str], header: bytes, room: int) -> dict[str, _Tensor]:
    try:
        found = json.loads(header.decode("utf-8"), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise _damaged(file, f"its header is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise _damaged(file, "its header is not a JSON object")
    tensors: dict[str, _Tensor] = {}
    for name, given in found.items():
        if name != _METADATA:
            tensor = _as_tensor(given, room)
            if isinstance(tensor, str):
                raise _damaged(file, f"tensor {name!r:.80}: {tensor}")
            tensors[name] = tensor
    return tensors


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _as_tensor(given: object, room: int) -> _Tensor | str:
    """Return a checked tensor, or what is wrong with it."""
    if not isinstance(given, dict):
        return "expected an object"
    dtype, shape, offsets = (given.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or not _are_counts(shape) or not _are_counts(offsets):
        return "expected dtype, shape and data_offsets"
    if len(offsets) != 2 or not offsets[0] <= offsets[1] <= room:
        return f"data_offsets {offsets!s:.60} are not within the {room:,} bytes of data"
    begin, end = offsets
    if len(shape) > _MOST_DIMENSIONS:
        return f"got {len(shape):,} dimensions, expected at most {_MOST_DIMENSIONS}"
    if dtype in _TYPES and math.prod(shape) * np.dtype(_TYPES[dtype]).itemsize != end - begin:
        return f"{end - begin:,} bytes do not hold {dtype} of shape {shape!s:.60}"
    return _Tensor(dtype, tuple(shape), begin, end)


def _are_counts(given: object) -> TypeGuard[list[int]]:
    return isinstance(given, list) and all(type(each) is int and each >= 0 for each in given)


def _damaged(file: str | os.PathLike[str], why: str) -> ValueError:
    return ValueError(f"file: {os.fspath(file)!r} is not a safetensors file, or damaged: {why}")
