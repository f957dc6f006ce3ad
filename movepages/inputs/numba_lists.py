"""Members of lists of arrays that are compiled by numba."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from . import not_in_memory
from .registry import NoMemoryError


def _list(items: Any) -> Iterable[tuple[str, object]]:
    if not len(items):
        raise NoMemoryError(items)
    # All elements are of one type. Each access makes an array over the same memory.
    if not isinstance(items[0], np.ndarray):
        raise TypeError(
            "a numba.typed.List does not say where its elements are, unless they are arrays; "
            "pass a list of arrays, or one array"
        )
    return ((f"[{index}]", each) for index, each in enumerate(items))


ADAPTERS = {**not_in_memory.ADAPTERS, "List": _list}
