"""Members of any object that exports its memory by the Arrow C data interface."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from ..pages.array_interface import moves_about
from ..pages.memory import Memory
from .arrow_arrays import arrow_members
from .registry import Pairs, adapter_for

# These run a query when they are asked for Arrow data.
_LAZY = ("daft", "datafusion", "duckdb", "_duckdb", "ibis", "pyspark")
# What reads a stream, which an export would use up.
_READERS = ("__next__", "read_all", "read_next", "read_next_batch", "get_next")
# The first version whose pyarrow.chunked_array() takes what others export.
_OLDEST = 16


def _exported(obj: Any) -> Pairs:
    """Return the members of an object with ``__arrow_c_stream__`` or ``__arrow_c_array__``.

    Raises
    ------
    TypeError
        Exporting would run a query or use up a stream, or what is exported is a copy.
    """
    library = type(obj).__module__.partition(".")[0]
    if library in _LAZY:
        raise TypeError(
            f"got a {type(obj).__name__}, which is lazy: it has no memory before it is computed; "
            "pass the table that computing it gives you"
        )
    if any(hasattr(obj, name) for name in _READERS):
        raise TypeError(
            f"got a {type(obj).__name__}, which is read only once; pass the table that you read "
            "from it"
        )
    # The protocol does not tell whether an export is a copy. Both must live to have two addresses.
    array, again = _imported(obj), _imported(obj)
    if not same_memory(array, again):
        raise moves_about(obj, "the Arrow export")
    return arrow_members(array)


def same_memory(array: Any, again: Any) -> bool:
    """Tell whether two objects of pyarrow, both alive, have their buffers at the same addresses."""
    return list(_addresses(array)) == list(_addresses(again))


def _imported(obj: Any) -> Any:
    try:
        pyarrow: Any = importlib.import_module("pyarrow")
    except ImportError:
        pyarrow = None
    if pyarrow is None or int(pyarrow.__version__.partition(".")[0]) < _OLDEST:
        raise TypeError(
            f"got a {type(obj).__name__}; finding the memory that it exports needs pyarrow "
            f"{_OLDEST} or newer"
        )
    try:
        if hasattr(obj, "__arrow_c_stream__"):
            return pyarrow.chunked_array(obj)
        return pyarrow.array(obj)
    except (ValueError, NotImplementedError) as error:
        raise TypeError(
            f"pyarrow cannot read what this {type(obj).__name__} exports; upgrade pyarrow, or pass "
            "the arrays in it"
        ) from error


def _addresses(obj: Any) -> Iterator[int]:
    adapter = adapter_for(type(obj))
    found: Any = obj if adapter is None else adapter(obj)
    if isinstance(found, Memory):
        yield found.address
        return
    for _, member in found:
        yield from _addresses(member)


ADAPTERS = {"__arrow_c_array__": _exported, "__arrow_c_stream__": _exported}
