"""Members of numpy arrays that are more than one block of elements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def _masked(array: np.ma.MaskedArray[Any, Any]) -> Iterator[tuple[str, object]]:
    yield "data", array.data
    if array.mask is not np.ma.nomask:
        yield "mask", np.ma.getmaskarray(array)


ADAPTERS = {"MaskedArray": _masked}
