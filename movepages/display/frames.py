"""Tables for pandas, which is imported when the first one is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from .optional import is_missing


def pandas() -> Any:
    """Return the module pandas.

    Raises
    ------
    ImportError
        It is missing.
    """
    try:
        return import_module("pandas")
    except ModuleNotFoundError as missing:
        if not is_missing("pandas", missing):
            raise
        raise ImportError(
            "to_pandas() needs the package pandas, which is not installed: pip install pandas"
        ) from missing


def node_columns(
    rows: Iterable[Mapping[int, float]], nodes: Iterable[int], suffix: str = ""
) -> dict[str, list[float]]:
    """Return a column for each node, with 0 where a row has nothing on it.

    Examples
    --------
    >>> node_columns([{0: 4096}, {0: 1, 2: 5}], [0, 2])
    {'node0': [4096, 1], 'node2': [0, 5]}
    """
    kept = list(rows)
    return {f"node{node}{suffix}": [row.get(node, 0) for row in kept] for node in nodes}
