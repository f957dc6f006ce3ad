"""Members of the tables, columns and indexes of pandas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..pages.named import key_name
from .arrow_arrays import chunk_members
from .numpy_arrays import array_members
from .registry import NoMemoryError, Pairs, adapter_for


def _frame(frame: Any) -> Pairs:
    arrays = _arrays_of_blocks(frame) or [series.array for _, series in frame.items()]
    yield from zip(map(key_name, frame.columns), arrays, strict=True)
    yield "index", frame.index


def _arrays_of_blocks(frame: Any) -> list[object] | None:
    """Return the columns where they lie in their blocks: 1,000 in 1 ms, against 50 ms.

    Blocks are internal to pandas. Return None if they are not as expected.
    """
    arrays: list[object] = [None] * len(frame.columns)
    try:
        for block in frame._mgr.blocks:
            values, columns = block.values, block.mgr_locs.as_array.tolist()
            rows = [values] if values.ndim == 1 else values
            for column, row in zip(columns, rows, strict=True):
                arrays[column] = row
    except (AttributeError, TypeError, ValueError, IndexError):
        return None
    return None if any(array is None for array in arrays) else arrays


def _series(series: Any) -> object:
    if type(series.index).__name__ == "RangeIndex":
        return _extension(series.array)
    return iter((("values", series.array), ("index", series.index)))


def _extension(array: Any) -> object:
    """Return the array that an extension array wraps, or its members."""
    adapter = adapter_for(type(array))
    if adapter is None:
        raise TypeError(
            f"got a {type(array).__name__}, a kind of column that movepages does not know; name "
            "its arrays with movepages.register()"
        )
    return adapter(array)


def _range_index(index: Any) -> Pairs:
    raise NoMemoryError(index)


def _index(index: Any) -> object:
    return _extension(index.array)


def _multi_index(index: Any) -> Pairs:
    for number, level in enumerate(index.levels):
        yield f"levels[{number}]", level
    for number, codes in enumerate(index.codes):
        yield f"codes[{number}]", codes


def _backed(array: Any) -> object:
    return array_members(_private(array, "_ndarray"))


def _masked(array: Any) -> Iterator[tuple[str, object]]:
    return iter((("data", _private(array, "_data")), ("mask", _private(array, "_mask"))))


def _private(array: Any, name: str) -> Any:
    """Return an array that pandas has no public way to without a copy."""
    try:
        return getattr(array, name)
    except AttributeError:
        raise TypeError(
            f"this version of pandas keeps the memory of a {type(array).__name__} in a way that "
            "movepages does not know; name its arrays with movepages.register()"
        ) from None


def _categorical(array: Any) -> Pairs:
    yield "codes", array.codes
    yield "categories", array.categories


def _arrow(array: Any) -> Pairs:
    return chunk_members(array.__arrow_array__().chunks)


def _interval(array: Any) -> Pairs:
    yield "left", array.left
    yield "right", array.right


def _sparse(array: Any) -> Pairs:
    yield "sp_values", array.sp_values
    yield "sp_index", array.sp_index


def _positions(index: Any) -> Pairs:
    yield "indices", index.indices


def _runs(index: Any) -> Pairs:
    yield "blocs", index.blocs
    yield "blengths", index.blengths


ADAPTERS = {
    "ArrowExtensionArray": _arrow,
    "BaseMaskedArray": _masked,
    "BlockIndex": _runs,
    "Categorical": _categorical,
    "DataFrame": _frame,
    "Index": _index,
    "IntIndex": _positions,
    "IntervalArray": _interval,
    "MultiIndex": _multi_index,
    "NDArrayBackedExtensionArray": _backed,
    "RangeIndex": _range_index,
    "Series": _series,
    "SparseArray": _sparse,
}
