"""Kinds of objects of jax, each with at least 1 MiB of memory that has been written."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import sparse
from jax.experimental.layout import Format, Layout
from jax.sharding import Mesh, NamedSharding, PartitionSpec

SIDE = 1024
DTYPES = ("float32", "bfloat16", "float8_e4m3fn", "complex64", "int8", "int32", "bool")
# Several elements of these share a byte.
PACKED = {"int4": 2, "uint4": 2, "float4_e2m1fn": 2, "int2": 4}

with contextlib.suppress(RuntimeError):  # Something has used jax already.
    jax.config.update("jax_num_cpu_devices", 4)


def finished(obj):
    """Return an object when its memory has been written: jax computes in threads of its own."""
    return jax.block_until_ready(obj)


def ones(dtype: str = "float32", side: int = SIDE) -> jax.Array:
    return finished(jnp.ones((side, side), getattr(jnp, dtype)))


def on_all_devices(*axes: str) -> jax.Array:
    """Return an array that is divided over all CPU devices, or repeated on each without axes."""
    mesh = Mesh(np.array(jax.devices()), ("rows",))
    array = jax.device_put(ones(), NamedSharding(mesh, PartitionSpec(*axes)))
    return finished(array)


def in_order(array: jax.Array, *axes: int) -> jax.Array:
    """Return an array in which the first of the axes has the largest stride, and so on."""
    return finished(jax.device_put(array, Format(Layout(axes), array.sharding)))


def reference():
    made = jax.new_ref(ones())
    # What is read has been written before.
    finished(made[...])
    return made


ONE_MEMORY = [
    *((dtype, lambda dtype=dtype: ones(dtype)) for dtype in DTYPES),
    ("computed", lambda: finished(ones() @ ones())),
]
PACKED_KINDS = [(dtype, lambda dtype=dtype: ones(dtype, 2 * SIDE)) for dtype in PACKED]
SHARDED = [
    ("sharded", lambda: on_all_devices("rows")),
    ("replicated", on_all_devices),
]
OTHERS = [
    ("columns first", lambda: in_order(ones(), 1, 0)),
    ("random keys", lambda: finished(jax.random.split(jax.random.key(0), SIDE * SIDE // 4))),
    ("reference", reference),
    ("sparse", lambda: finished(sparse.BCOO.fromdense(ones()))),
    ("tree", lambda: {"layers": [ones(), (ones(), None)]}),
]
KINDS = [*ONE_MEMORY, *PACKED_KINDS, *SHARDED, *OTHERS]
