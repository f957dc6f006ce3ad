"""The arrays of xarray's variables, data arrays, datasets and trees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..pages.named import key_name
from .containers import join_names
from .not_in_memory import not_here

# Classes of xarray around an array in memory, which is their attribute `array`.
_AROUND_MEMORY = {
    "CopyOnWriteArray",
    "MemoryCachedArray",
    "NumpyIndexingAdapter",
    "NdArrayLikeIndexingAdapter",
    "ArrayApiIndexingAdapter",
    "DaskIndexingAdapter",
    "PandasIndexingAdapter",
    "PandasMultiIndexingAdapter",
    "PandasExtensionArray",
}
# Coordinates of this class are computed at each access.
_COMPUTED = "CoordinateTransformIndexingAdapter"


def _held(variable: Any) -> Any:
    """Return the array that a variable holds, of whatever class; None if it holds none.

    `Variable.data` is no way to it: of a variable that is not loaded, it reads the file.
    """
    try:
        held = variable._data
        while type(held).__module__.startswith("xarray."):
            kind = type(held).__name__
            if kind == _COMPUTED:
                return None
            if kind not in _AROUND_MEMORY:
                raise not_here(variable, "not loaded", "call .load() and pass it again")
            held = held.array
    except AttributeError as error:
        raise TypeError(
            f"this version of xarray does not say where the data of a {type(variable).__name__} "
            "is; pass its array"
        ) from error
    return held


def _variable(variable: Any) -> object:
    held = _held(variable)
    plain = isinstance(held, np.ndarray) and not held.dtype.hasobject
    return held if plain else [("data", held)]


def _data_array(array: Any) -> list[tuple[str, object]]:
    coords = {name: coord.variable for name, coord in array.coords.items()}
    return [("data", _held(array.variable)), *_named(coords)]


def _dataset(dataset: Any) -> list[tuple[str, object]]:
    return _named(dataset.variables)


def _tree(tree: Any) -> list[tuple[str, object]]:
    # Coordinates that a node inherits are those of a node above.
    return [
        (join_names("" if path == "." else key_name(path), name), held)
        for path, node in tree.subtree_with_keys
        for name, held in _named(node.to_dataset(inherit=False).variables)
    ]


def _named(variables: Mapping[Any, Any]) -> list[tuple[str, object]]:
    found = []
    for name, variable in variables.items():
        try:
            found.append((key_name(name), _held(variable)))
        except TypeError as error:
            raise TypeError(f"{key_name(name)}: {error}") from None
    return found


ADAPTERS = {
    "Variable": _variable,
    "DataArray": _data_array,
    "Dataset": _dataset,
    "DataTree": _tree,
}
