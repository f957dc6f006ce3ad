"""Files of measured bandwidths, checked when they are read."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from ..system.machine_key import MachineKey
from .atomic_file import replacing
from .bandwidth_figures import FIGURES, Figures, Rates

_VERSION = 1
_MOST_BYTES = 16 << 20


def write(file: str | os.PathLike[str], data: Mapping[str, Any]) -> None:
    """Write the fields of a `Bandwidth` to a file, in full or not at all."""
    text = json.dumps({"version": _VERSION} | dict(data), indent=1)
    with replacing(file) as out:
        out.write(text.encode())


def fields_in(file: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the fields of a `Bandwidth`, or raise a ValueError for a file without them."""
    with open(file, "rb") as source:
        text = source.read(_MOST_BYTES)
    try:
        return _checked(json.loads(text))
    # A number can be too large for a float, and infinity is no whole number.
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise ValueError(
            f"{os.fspath(file)!r} does not hold measured bandwidths, or is damaged: {error!r}"
        ) from None


def _checked(data: Any) -> dict[str, Any]:
    if data["version"] != _VERSION:
        raise ValueError(f"version {data['version']!r}")
    rows, columns = _ids(data["cpu_nodes"]), _ids(data["memory_nodes"])
    machine = MachineKey(**data["machine"])
    notes = tuple(data["notes"])
    if not all(isinstance(text, str) for text in (*machine, *notes)):
        raise TypeError("expected text")
    measured_at = datetime.fromisoformat(data["measured_at"])
    if measured_at.tzinfo is None:
        raise ValueError("measured_at has no time zone")
    together = {name: Rates(**rates) for name, rates in data["together"].items()}
    if not all(_is_positive(rate) for rates in together.values() for rate in rates):
        raise ValueError("together")
    nbytes = {int(node): int(count) for node, count in data["nbytes"].items()}
    shape = len(rows), len(columns)
    return {
        "cpu_nodes": rows,
        "memory_nodes": columns,
        **{name: _figures(data[name], shape) for name in FIGURES},
        "together": together,
        "nbytes": nbytes,
        "machine": machine,
        "measured_at": measured_at,
        "notes": notes,
    }


def _ids(data: Any) -> tuple[int, ...]:
    ids = tuple(data)
    if not ids or not all(type(node) is int and node >= 0 for node in ids):
        raise ValueError("expected numbers of nodes")
    return ids


def _figures(data: Any, shape: tuple[int, int]) -> Figures:
    found = np.array(data, np.float64)
    if found.shape != shape or not (np.isfinite(found) & (found > 0)).all():
        raise ValueError(f"expected {shape[0]} by {shape[1]} figures above 0")
    return found


def _is_positive(rate: Any) -> bool:
    return isinstance(rate, float) and 0 < rate < math.inf
