"""where() of jax's objects, against what jax and numpy say of them."""

import ctypes

import numpy as np
import pytest
from looks import check_not_copied

import movepages as mp
from movepages.inputs.memory_of import memory_of

jax = pytest.importorskip("jax")
kinds = pytest.importorskip("kinds_jax")
jnp = jax.numpy

LIBC = ctypes.CDLL(None)
LIBC.malloc_usable_size.argtypes = [ctypes.c_void_p]
LIBC.malloc_usable_size.restype = ctypes.c_size_t


def cases(table):
    return pytest.mark.parametrize("make", [make for _, make in table], ids=[n for n, _ in table])


@cases(kinds.ONE_MEMORY)
def test_an_array_is_where_numpy_sees_it(make) -> None:
    array = make()
    found = mp.where(array)
    assert mp.where(array) == found
    seen = np.asarray(array)
    assert found.address == seen.ctypes.data == array.unsafe_buffer_pointer()
    assert found.nbytes == array.nbytes == array.on_device_size_in_bytes()
    assert (found.shape, found.strides) == (array.shape, seen.strides)
    assert found.absent_bytes == 0
    assert np.count_nonzero(seen) == array.size


@pytest.mark.parametrize("dtype", kinds.PACKED)
def test_elements_that_share_a_byte(dtype) -> None:
    array = kinds.ones(dtype, 2 * kinds.SIDE)
    found = mp.where(array)
    assert found.address == array.unsafe_buffer_pointer()
    assert found.nbytes == array.size // kinds.PACKED[dtype]
    # jax counts a byte for each. The buffer is from malloc, which knows better.
    allocated = LIBC.malloc_usable_size(found.address)
    assert found.nbytes <= allocated < array.on_device_size_in_bytes()


@pytest.mark.parametrize("size", [1, 3, 1001])
def test_an_odd_number_of_elements_that_share_a_byte(size) -> None:
    assert mp.where(jnp.ones(size, jnp.int4)).nbytes == (size + 1) // 2


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_axes_in_any_order(axes) -> None:
    array = kinds.in_order(jnp.arange(60).reshape(3, 4, 5), *axes)
    memory, _ = memory_of(array)
    assert memory.address == array.unsafe_buffer_pointer()
    buffer = (ctypes.c_char * array.nbytes).from_address(memory.address)
    # np.asarray(array) would be a copy in another order.
    seen = np.ndarray(memory.shape, array.dtype, buffer, strides=memory.strides)
    assert seen.tolist() == array.tolist()


@cases(kinds.SHARDED)
def test_each_shard_is_a_member(make) -> None:
    if len(jax.devices()) < 2:
        pytest.skip("needs two devices, jax was used before it was told to have them")
    array = make()
    found = mp.where({"w": array})
    shards = [each.data for each in array.addressable_shards]
    assert list(found) == [f"w.addressable_shards[{index}]" for index in range(len(shards))]
    for shard, placement in zip(shards, found.values(), strict=True):
        assert placement.address == shard.unsafe_buffer_pointer()
        assert placement.nbytes == shard.nbytes
    assert found.nbytes == array.on_device_size_in_bytes() or array.is_fully_replicated
    assert np.count_nonzero(np.asarray(array)) == array.size


def test_a_shard_that_is_on_one_of_the_devices() -> None:
    array = jax.device_put(kinds.ones(), jax.devices()[-1])
    assert mp.where(array).address == array.unsafe_buffer_pointer()


@cases(kinds.KINDS)
def test_nothing_is_a_copy(make) -> None:
    check_not_copied(make())


def test_random_keys() -> None:
    keys = jax.random.split(jax.random.key(0), 1000)
    found = mp.where(keys)
    assert found.address == jax.random.key_data(keys).unsafe_buffer_pointer()
    assert found.nbytes == keys.nbytes == 8000


def test_a_reference() -> None:
    reference = jax.new_ref(jnp.ones((100, 30)))
    found = mp.where(reference)
    assert (found.address, found.nbytes) == (reference.unsafe_buffer_pointer(), 12_000)


@pytest.mark.parametrize("kind", ["BCOO", "BCSR", "COO", "CSR", "CSC"])
def test_sparse_arrays(kind) -> None:
    array = getattr(kinds.sparse, kind).fromdense(jnp.eye(64))
    found = mp.where(array)
    parts = {name: each for name, each in vars(array).items() if isinstance(each, jax.Array)}
    assert list(found) == list(parts)
    assert found["data"].address == array.data.unsafe_buffer_pointer()


@pytest.mark.parametrize("shape", [(), (0,), (3, 0)])
def test_shapes_with_few_elements(shape) -> None:
    assert mp.where(jnp.ones(shape)).nbytes == 4 * int(np.prod(shape))


def test_deleted_arrays() -> None:
    deleted = jnp.ones(3)
    deleted.delete()
    donated = jnp.ones(1000)
    jax.jit(lambda a: a + 1, donate_argnums=0)(donated)
    for array in (deleted, donated):
        with pytest.raises(ValueError, match=r"^w: this jax array is deleted"):
            mp.where({"w": array})


@pytest.mark.parametrize("transform", ["jit", "grad", "vmap"])
def test_tracers(transform) -> None:
    def look(array):
        with pytest.raises(TypeError, match="Tracer has a shape and no data"):
            mp.where(array)
        return array.sum()

    getattr(jax, transform)(look)(jnp.ones(3) if transform != "vmap" else jnp.ones((3, 3)))


def test_a_shape_alone() -> None:
    with pytest.raises(TypeError, match="ShapeDtypeStruct has a shape and no data"):
        mp.where(jax.ShapeDtypeStruct((3,), jnp.float32))
