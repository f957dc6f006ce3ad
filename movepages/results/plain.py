"""Results as plain data, ready for json.dumps, and as tables for pandas."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..display.frames import pandas

_T = TypeVar("_T", int, float)

# Counts of a move, in the order of its columns.
COUNTS = "pages moved already_there failed not_attempted untargeted overruled"


def picked(thing: object, names: str) -> dict[str, Any]:
    """Return the attributes with these names, separated by spaces."""
    return {name: getattr(thing, name) for name in names.split()}


def by_node(counts: Mapping[int, _T]) -> dict[str, _T]:
    """Return counts by node with the nodes as strings, because JSON has no other keys."""
    return {str(node): n for node, n in counts.items()}


def by_name(counts: Mapping[Any, int]) -> dict[str, int]:
    """Return counts by reason with the names of the reasons."""
    return {each.name: n for each, n in counts.items()}


def records(rows: npt.NDArray[np.void]) -> list[dict[str, int]]:
    """Return a dictionary for each row of a structured array of integers."""
    names = rows.dtype.names or ()
    return [dict(zip(names, row, strict=True)) for row in rows.tolist()]


def outcomes_frame(results: Mapping[str, Any]) -> Any:
    """Return a DataFrame with a row for the `MoveResult` of each member."""
    pd, each = pandas(), list(results.values())
    reasons: dict[IntEnum, None] = {reason: None for one in each for reason in one.failures}
    names = (*COUNTS.split(), "torn", "ok")
    columns = {name: [getattr(one, name) for one in each] for name in names}
    failures = {reason.name: [one.failures.get(reason, 0) for one in each] for reason in reasons}
    return pd.DataFrame(columns | failures, index=pd.Index(results, name="member", dtype=object))
