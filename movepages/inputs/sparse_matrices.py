"""The arrays of scipy.sparse arrays and matrices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_ARRAYS = {
    "csr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "bsr": ("data", "indices", "indptr"),
    "dia": ("data", "offsets"),
    "coo": ("data", "row", "col"),
}


def _sparse(matrix: Any) -> Iterable[tuple[str, object]]:
    names = _ARRAYS.get(matrix.format)
    if names is None:
        raise TypeError(
            f"a sparse {type(matrix).__name__} keeps its elements as Python objects, scattered "
            f"over the heap; the formats with arrays are {', '.join(_ARRAYS)}"
        )
    if matrix.format == "coo" and matrix.ndim != 2:
        # With other than two axes, `row` and `col` are made anew at each access, or raise.
        names = ("data", "coords")
    return ((name, getattr(matrix, name)) for name in names)


ADAPTERS = {"sparray": _sparse, "spmatrix": _sparse}
