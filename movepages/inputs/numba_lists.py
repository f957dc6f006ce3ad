"""Members of lists of arrays that are compiled by numba."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .not_in_memory import refuse


def _list(items: Any) -> Iterable[tuple[str, object]]:
    # All elements are of one type. Each access makes an array over the same memory.
    if len(items) and not isinstance(items[0], np.ndarray):
        raise TypeError(
            "a numba.typed.List does not say where its elements are, unless they are arrays; "
            "pass a list of arrays, or one array"
        )
    return ((f"[{index}]", each) for index, each in enumerate(items))


ADAPTERS = {"List": _list, "DeviceNDArray": refuse}
