"""Capsules of DLPack with any content: arguments of `dlpack_memory`."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from movepages import _core
from support.dlpack import KINDS, Export, capsule_at

if TYPE_CHECKING:
    from hostile import Hostile

_LENGTHS = [0, 1, 2, 7, 4096, 2**31, 2**62, 2**63 - 1, -1, -(2**63)]
_NAMES = [b"", b"dltensor2", b"used_dltensor", b"\xff", b"x" * 9999, b"movepages.dlpack_owner"]
_REPLACED: dict[str, list[Any]] = {
    "major": [0, 2, 2**32 - 1],
    "flags": [1, 2, 4, 7, 2**64 - 1],
    "data": [0, 1, 2**64 - 1],
    "shape": [None],
    "strides": [None],
    "bits": [0, 1, 4, 7, 64, 255],
    "lanes": [0, 2, 3, 2**16 - 1],
    "device": [(2, -1), (-1, 2**31 - 1)],
    "ndim": [-1, -(2**31), 65, 2**31 - 1],
    "byte_offset": [1, 2**63, 2**64 - 1],
}


def dlpack_memory(h: Hostile) -> tuple[Any]:
    if h.one_in(8):
        return (h.among([h.anything(), capsule_at(h.address() | 1, h.among([None, *_NAMES]))]),)
    made = _export(h)
    if h.one_in(8):
        with contextlib.suppress(TypeError, ValueError):
            _core.dlpack_memory(made.capsule)
    return (made.capsule,)


def _export(h: Hostile) -> Export:
    axes = h.among([0, 1, 2, 3, 63, 64, 65])
    lengths = h.among([[1, 2], [1, 2], _LENGTHS])
    given: dict[str, Any] = {
        "data": h.address(),
        "shape": [h.among(lengths) for _ in range(axes)],
        "strides": [h.among(_LENGTHS[: h.among([4, len(_LENGTHS)])]) for _ in range(axes)],
        "deleter": not h.one_in(8),
    }
    for name in h.random.sample(sorted(_REPLACED), h.among([0, 0, 1, 2, 5])):
        if axes or name != "shape":
            given[name] = h.among(_REPLACED[name])

    def on_delete() -> None:
        if made.deleted != 1:
            os.abort()
        meanwhile()

    meanwhile: Callable[[], object] = h.among([int, int, int, gc.collect, lambda: _take_another(h)])
    made = Export(h.among(KINDS), on_delete=on_delete, **given)
    return made


def _take_another(h: Hostile) -> None:
    # In a function that C calls, an exception has nowhere to go.
    with contextlib.suppress(ValueError):
        _core.dlpack_memory(Export(h.among(KINDS), data=4096, ndim=h.among([0, -1])).capsule)
