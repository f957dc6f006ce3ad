"""The buffers of awkward arrays, named as by ak.to_buffers."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from .not_in_memory import not_here


def _array(array: Any) -> Iterable[tuple[str, object]]:
    awkward = sys.modules["awkward"]
    backend = awkward.backend(array)
    if backend == "cuda":
        raise not_here(
            array,
            "on a device, which move_pages(2) cannot reach",
            "pass arrays in host memory",
        )
    if backend == "typetracer":
        raise TypeError("a typetracer describes an array and holds no data; pass the array")
    # Versions without virtual arrays do not have the attribute.
    if not getattr(array.layout, "is_all_materialized", True):
        raise not_here(
            array, "virtual, and not loaded yet", "call ak.materialize(array), and pass its result"
        )
    # In the byte order of the machine, these are views.
    order = "<" if sys.byteorder == "little" else ">"
    buffers: dict[str, object] = awkward.to_buffers(array, byteorder=order)[2]
    return buffers.items()


ADAPTERS = {"Array": _array}
