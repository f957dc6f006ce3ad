"""Members of the tables and columns of polars: their Arrow buffers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from ..pages.array_interface import moves_about
from ..pages.named import key_name
from .arrow_arrays import chunk_members
from .arrow_exports import same_memory
from .registry import Pairs


def _frame(frame: Any) -> Iterator[tuple[str, object]]:
    return ((key_name(series.name), series) for series in frame.iter_columns())


def _series(series: Any) -> Pairs:
    kind = type(series.dtype).__name__
    if kind == "Object":
        raise TypeError(
            "polars does not say where a column of Object has its pointers; pass other columns"
        )
    if _has_categories(series.dtype):
        # The categories lie in a pool that belongs to no column, and an export copies them.
        series = series.to_physical()
    return chunk_members([_exported(chunk) for chunk in series.get_chunks()])


def _has_categories(dtype: Any) -> bool:
    inner = getattr(dtype, "inner", None)
    fields = getattr(dtype, "fields", ())
    return (
        type(dtype).__name__ == "Categorical"
        or (inner is not None and _has_categories(inner))
        or any(_has_categories(field.dtype) for field in fields)
    )


def _exported(chunk: Any) -> Any:
    """Return a chunk as the array of pyarrow that shares its memory."""
    levels = getattr(sys.modules["polars"], "CompatLevel", None)
    if levels is None:
        # The oldest Arrow types, to which these versions convert, need copies.
        raise TypeError("finding the memory of a polars column needs a newer polars; upgrade it")
    newest = levels.newest()
    try:
        array = chunk.to_arrow(compat_level=newest)
        again = chunk.to_arrow(compat_level=newest)
    except ImportError:
        raise TypeError("finding the memory of a polars column needs pyarrow; install it") from None
    except (KeyError, ValueError, NotImplementedError) as error:
        raise TypeError(
            f"this pyarrow has no type for a polars column of {chunk.dtype}; upgrade pyarrow"
        ) from error
    if not same_memory(array, again):
        raise moves_about(chunk, f"the Arrow export ({chunk.dtype})")
    return array


def _lazy(frame: Any) -> Pairs:
    raise TypeError(
        f"got a {type(frame).__name__}, which is lazy: it has no memory yet; collect() first and "
        "pass the DataFrame"
    )


ADAPTERS = {
    "DataFrame": _frame,
    "InProcessQuery": _lazy,
    "LazyFrame": _lazy,
    "Series": _series,
}
