"""The arrays in the attributes of scikit-learn's estimators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .containers import container_members, join_names
from .registry import NoMemoryError, Pairs, adapter_for


def _estimator(estimator: object) -> Pairs:
    found = list(_members(vars(estimator).items(), {id(estimator)}))
    if not found:
        raise NoMemoryError(estimator)
    return found


def _members(attributes: Pairs, above: set[int]) -> Iterator[tuple[str, object]]:
    """Yield the attributes that are memory, at any depth; leave out all other values."""
    for name, value in attributes:
        inside = _inside(value)
        if _has_memory(value):
            yield name, value
        # What contains itself adds nothing new the second time.
        if inside is not None and id(value) not in above:
            for below, each in _members(inside, above | {id(value)}):
                yield join_names(name, below), each


def _inside(value: Any) -> Pairs | None:
    """Return what a container or an object of scikit-learn has in it."""
    adapter = adapter_for(type(value))
    if adapter is None:
        members = container_members(value)
        if members is not None or not _is_of_sklearn(value):
            return members
    elif adapter is not _estimator:
        return None
    attributes: Pairs = vars(value).items()
    return attributes


def _is_of_sklearn(value: object) -> bool:
    return type(value).__module__.partition(".")[0] == "sklearn" and hasattr(value, "__dict__")


def _has_memory(value: Any) -> bool:
    adapter = adapter_for(type(value))
    if adapter is not None:
        return adapter is not _estimator
    if isinstance(value, np.ndarray):
        return True
    try:
        memoryview(value).release()
    except (TypeError, ValueError, BufferError):
        return False
    return True


def _tree(tree: Any) -> Iterator[tuple[str, object]]:
    # The properties, such as `threshold`, are columns of `nodes`.
    state = tree.__getstate__()
    yield "nodes", state["nodes"]
    yield "value", state["values"]


def _neighbours(tree: Any) -> Iterator[tuple[str, object]]:
    names = ("data", "idx_array", "node_data", "node_bounds")
    return zip(names, tree.get_arrays(), strict=True)


ADAPTERS = {
    "BaseEstimator": _estimator,
    "Tree": _tree,
    **dict.fromkeys(["BinaryTree", "BinaryTree32", "BinaryTree64"], _neighbours),
}
