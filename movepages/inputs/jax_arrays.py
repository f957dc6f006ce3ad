"""Memory of jax arrays on the CPU."""

from __future__ import annotations

import re
import sys
from typing import Any

from ..pages.memory import Memory
from .registry import Pairs


def _array(array: Any) -> Memory | Pairs:
    if array.is_deleted():
        raise ValueError(
            "this jax array is deleted, or donated to a computation: its memory is gone; pass the "
            "result of that computation"
        )
    _refuse_devices(array)
    if len(array.sharding.device_set) == 1:
        return _buffer(array)
    shards = array.addressable_shards
    return [(f"addressable_shards[{index}]", each.data) for index, each in enumerate(shards)]


def _buffer(array: Any) -> Memory:
    try:
        address = array.unsafe_buffer_pointer()
    except RuntimeError as error:
        raise TypeError(
            f"this {type(array).__name__} does not say where its memory is ({error}); pass arrays "
            "of one device"
        ) from None
    bits = _bits(array.dtype.name)
    order = _major_to_minor(array)
    if bits % 8 or order is None:
        # XLA puts two int4 into a byte. on_device_size_in_bytes() counts a byte for each.
        return Memory(address, ((array.size * bits + 7) // 8,), (1,), 1, array)
    strides, step = [0] * array.ndim, array.dtype.itemsize
    for axis in reversed(order):
        strides[axis] = step
        step *= array.shape[axis]
    return Memory(address, array.shape, strides, array.dtype.itemsize, array)


def _bits(dtype: str) -> int:
    """Return the bits of an element: 4 for int4 and float4_e2m1fn."""
    digits = re.search(r"\d+", dtype)
    return int(digits[0]) if digits else 8


def _major_to_minor(array: Any) -> tuple[int, ...] | None:
    """Return the axes in the order of their strides, largest first; None if that is not known."""
    layout = getattr(getattr(array, "format", None), "layout", None)
    if layout is None or layout.tiling:
        return None
    order: tuple[int, ...] = layout.major_to_minor
    return order


def _reference(reference: Any) -> Memory:
    _refuse_devices(reference)
    return _buffer(reference)


def _key(key: Any) -> Memory | Pairs:
    data = sys.modules["jax"].random.key_data
    if data(key) is not data(key):
        raise TypeError(
            "this array of random keys hands out copies; pass jax.random.key_data(keys)"
        )
    return _array(data(key))


def _sparse(array: Any) -> Pairs:
    return list(vars(array).items())


def _refuse_devices(array: Any) -> None:
    away = [device for device in array.sharding.device_set if device.platform != "cpu"]
    if away:
        raise TypeError(
            f"this {type(array).__name__} is on device {away[0]}: it is not in this process's "
            "memory; pass arrays whose device is a CPU"
        )


def _refuse(array: Any) -> None:
    raise TypeError(
        f"a {type(array).__name__} has a shape and no data: it is not in this process's memory; "
        "pass arrays outside of jax.jit, jax.grad and jax.vmap"
    )


ADAPTERS = {
    "ArrayImpl": _array,
    "PRNGKeyArray": _key,
    "Ref": _reference,
    "JAXSparse": _sparse,
    "Tracer": _refuse,
    "ShapeDtypeStruct": _refuse,
}
