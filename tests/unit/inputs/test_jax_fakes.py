"""What jax's arrays are taken for, without jax."""

from types import SimpleNamespace

import pytest

import movepages as mp
from movepages.inputs.memory_of import memory_of


@pytest.fixture
def array():
    """Return an array of 10 x 30 float32 of a class that is called as jax's."""
    kind = type("ArrayImpl", (SimpleNamespace,), {"__module__": "jaxlib._jax"})
    return kind(
        is_deleted=lambda: False,
        sharding=SimpleNamespace(device_set=[SimpleNamespace(platform="cpu")]),
        dtype=SimpleNamespace(name="float32", itemsize=4),
        size=300,
        ndim=2,
        shape=(10, 30),
        unsafe_buffer_pointer=lambda: 0x7F0000000000,
        format=SimpleNamespace(layout=SimpleNamespace(major_to_minor=(1, 0), tiling=())),
    )


def test_the_layout_gives_the_strides(array) -> None:
    assert memory_of(array)[0].strides == (4, 40)


@pytest.mark.parametrize("layout", [None, SimpleNamespace(tiling=((8, 128),))])
def test_an_unknown_layout_is_a_run_of_bytes(array, layout) -> None:
    array.format.layout = layout
    memory, pages = memory_of(array)
    assert (memory.shape, pages.nbytes) == ((1200,), 1200)


@pytest.mark.parametrize(
    ("dtype", "nbytes"), [("int4", 150), ("uint2", 75), ("float4_e2m1fn", 150), ("bool", 300)]
)
def test_elements_that_share_a_byte(array, dtype, nbytes) -> None:
    array.dtype = SimpleNamespace(name=dtype, itemsize=1)
    assert mp.where(array).nbytes == nbytes


def test_other_devices_are_named(array) -> None:
    class Device(SimpleNamespace):
        def __str__(self):
            return "cuda:0"

    array.sharding.device_set = [Device(platform="gpu")]
    with pytest.raises(TypeError, match=r"^w: this ArrayImpl is on device cuda:0: it is not in"):
        mp.where({"w": array})


def test_a_buffer_without_an_address(array) -> None:
    def refuse():
        raise RuntimeError("UNIMPLEMENTED")

    array.unsafe_buffer_pointer = refuse
    with pytest.raises(TypeError, match=r"does not say where its memory is \(UNIMPLEMENTED\)"):
        mp.where(array)
