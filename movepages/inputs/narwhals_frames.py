"""Members of what narwhals wraps: those of the frame or column of another library.

An export would convert, and so copy, some columns of some of these libraries.
"""

from __future__ import annotations

from typing import Any

from .arrow_arrays import arrow_members
from .registry import Pairs


def _wrapped(obj: Any) -> Pairs:
    return arrow_members(obj.to_native())


ADAPTERS = {"DataFrame": _wrapped, "LazyFrame": _wrapped, "Series": _wrapped}
