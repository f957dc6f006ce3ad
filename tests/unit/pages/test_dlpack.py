"""Objects that only speak DLPack are looked at where they are, and never copied."""

import ctypes
import gc
import sys
import threading

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from movepages.inputs.memory_of import memory_of
from movepages.pages.buffers import footprint_of
from movepages.pages.memory import Memory
from support.dlpack import (
    ARRAYS,
    IS_COPIED,
    KINDS,
    READ_ONLY,
    A,
    Export,
    Managed,
    OfArray,
    Speaks,
    export_of,
    speaking,
)

# The same on every kernel.
pytestmark = pytest.mark.host

of_every_shape = pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
of_both_kinds = pytest.mark.parametrize("kind", KINDS)


@of_both_kinds
@of_every_shape
def test_the_object_has_the_pages_and_the_shape_of_its_array(array, kind):
    obj, made = speaking(array, kind)
    memory, pages = memory_of(obj)
    assert isinstance(memory, Memory)
    assert (memory.address, memory.shape) == (array.ctypes.data, array.shape)
    assert pages == footprint_of(array) == footprint_of(obj)
    assert [export.deleted for export in made] == [0, 1, 1, 1]
    del memory
    assert made[0].deleted == 1
    mine, others = mp.where(obj), mp.where(array)
    assert (mine, mine.shape, mine.strides) == (others, others.shape, others.strides)


def test_members_and_targets():
    a, b = np.arange(10_000.0).reshape(100, 100), np.ones(1000)
    found = mp.where({"a": speaking(a)[0], "b": [OfArray(b)]})
    assert list(found) == ["a", "b[0]"]
    assert found["a"] == mp.where(a)
    assert found["a"].shape == (100, 100)
    node = mp.topology().allowed_nodes[0]
    assert mp.move(speaking(a)[0], node).ok
    np.testing.assert_array_equal(a.ravel(), np.arange(10_000))


def test_numpy_exports_its_own_memory():
    a = np.zeros(1000)
    before = sys.getrefcount(a)
    assert footprint_of(OfArray(a)) == footprint_of(a)
    with pytest.raises(TypeError, match="__dlpack__ of this OfArray refuses: "):
        footprint_of(OfArray(np.broadcast_to(a, (3, 1000))))  # Read-only, which needs version 1.
    assert sys.getrefcount(a) == before


def test_read_only_memory():
    a = np.zeros(1000)
    obj, _ = speaking(a, flags=READ_ONLY)
    assert footprint_of(obj) == footprint_of(a)


@of_both_kinds
def test_a_tensor_that_cannot_be(kind):
    obj = Speaks(lambda: Export(kind, data=4096, shape=(3, -1)).capsule)
    with pytest.raises(ValueError, match=r"__dlpack__ of this Speaks: .* a negative length, -1"):
        mp.where(obj)


@of_both_kinds
def test_strides_that_leave_the_address_space(kind):
    obj = Speaks(lambda: Export(kind, data=4096, shape=(2,), strides=(-(2**62),)).capsule)
    with pytest.raises(ValueError, match=r"bytes must lie in \[0, 2\*\*64\)"):
        mp.where(obj)
    obj = Speaks(lambda: Export(kind, data=4096, shape=(9, 9), strides=(24, 16)).capsule)
    with pytest.raises(ValueError, match="pass the base array"):
        mp.where(obj)


@pytest.mark.parametrize("given", [None, 5, b"dltensor", object(), A])
def test_what_is_no_capsule(given):
    message = (
        f"__dlpack__ of this Speaks: expected a new DLPack capsule, got a .*{type(given).__name__}"
    )
    with pytest.raises(TypeError, match=message):
        footprint_of(Speaks(lambda: given))


@pytest.mark.parametrize(
    ("device", "name"),
    [((2, 0), "CUDA:0"), ((2, 3), "CUDA:3"), ((10, 1), "ROCM:1"), ((8, 0), "Metal:0"),
     ((14, 0), "OneAPI:0"), ((99, 5), "of type 99:5"), ((-1, -1), "of type -1:-1")],
)  # fmt: skip
def test_other_devices(device, name):
    message = f"this Speaks is on device {name}, not in this process's memory; pass an object"
    asked = []
    with pytest.raises(TypeError, match=message):
        footprint_of(Speaks(lambda: asked.append(1), device))
    assert not asked
    # The object says CPU, its capsule another device.
    obj, made = speaking(A, device=device)
    with pytest.raises(TypeError, match=message):
        mp.where(obj)
    assert [export.deleted for export in made] == [1]


@pytest.mark.parametrize("device", [(1, 0), (3, 0), (11, 2), (13, 0)])
def test_devices_whose_memory_is_in_this_process(device):
    obj, _ = speaking(A, device=device)
    obj.device = device
    assert footprint_of(obj) == footprint_of(A)


@pytest.mark.parametrize("told", [None, 1, (1,), (1, 0, 0), ("cpu", 0), (1.0, 0)])
def test_what_is_no_device(told):
    with pytest.raises(TypeError, match="__dlpack_device__ of this Speaks: expected two ints"):
        footprint_of(Speaks(lambda: None, told))


def test_an_exported_copy():
    obj, made = speaking(A, flags=IS_COPIED)
    with pytest.raises(TypeError, match=r"__dlpack__ of this Speaks exports a copy.*elsewhere"):
        mp.where(obj)
    assert [export.deleted for export in made] == [1]


@pytest.mark.parametrize("size", [1, 100, 5000, 1 << 17])
def test_a_copy_at_each_call(size):
    class Copies(Speaks):
        def __dlpack__(self):
            return self.export().__dlpack__()

    a = np.zeros(size)
    lengths = iter((1, 0))
    for obj in (Copies(a.copy), Copies(lambda: a[: next(lengths)])):
        with pytest.raises(TypeError, match=r"__dlpack__ of this Copies is at another address"):
            mp.move(obj, 0)


@of_both_kinds
def test_the_same_capsule_twice(kind):
    export = export_of(A, kind)
    with pytest.raises(TypeError, match=r"new DLPack capsule, got .*used_dltensor"):
        mp.where(Speaks(lambda: export.capsule))
    assert export.deleted == 1


def test_an_exporter_of_an_older_version_of_the_protocol():
    class Old(Speaks):
        def __dlpack__(self, stream=None):
            assert stream is None
            return self.export()

    obj, made = speaking(A, Managed)
    assert footprint_of(Old(obj.export)) == footprint_of(A)
    assert len(made) == 2


def test_a_function_in_c_that_does_not_say_what_it_takes():
    obj, made = speaking(A)
    obj.__dlpack__ = ctypes.PYFUNCTYPE(ctypes.py_object)(obj.export)
    assert footprint_of(obj) == footprint_of(A)
    assert len(made) == 2
    obj.__dlpack__ = _core.allowed_nodes
    with pytest.raises(TypeError, match="expected a new DLPack capsule, got a "):
        footprint_of(obj)
    obj.__dlpack__ = _core.is_own
    with pytest.raises(TypeError, match=r"is_own.*incompatible function arguments"):
        footprint_of(obj)


@pytest.mark.parametrize("error", [TypeError, RuntimeError, KeyboardInterrupt, ValueError])
def test_errors_of_the_exporter_are_seen(error):
    asked = []

    def fail():
        asked.append(1)
        raise error("of its own")

    with pytest.raises(error, match="of its own"):
        mp.where(Speaks(fail))
    assert len(asked) == 1
    obj = Speaks(fail)
    obj.__dlpack_device__ = fail
    with pytest.raises(error, match="of its own"):
        mp.where(obj)


def test_an_exporter_that_refuses():
    def refuse():
        raise BufferError("requires grad")

    with pytest.raises(TypeError, match="__dlpack__ of this Speaks refuses: requires grad"):
        mp.where(Speaks(refuse))
    with pytest.raises(TypeError, match=r"^x: __dlpack__ of this Speaks refuses: requires grad"):
        mp.where({"x": Speaks(refuse)})


def test_half_of_the_protocol_is_none_of_it():
    class NoDevice:
        def __dlpack__(self):
            raise AssertionError

    class NotAnymore(OfArray):
        __dlpack__ = None

    for obj in (NoDevice(), OfArray, NotAnymore(A)):
        with pytest.raises(TypeError, match="expected an object that exposes its memory"):
            footprint_of(obj)


def test_a_buffer_or_an_array_interface_goes_first():
    class Both(OfArray):
        def __dlpack__(self):
            raise AssertionError

        @property
        def __array_interface__(self):
            return self.array.__array_interface__

    assert footprint_of(Both(A)) == footprint_of(A)


def test_an_exporter_that_empties_itself():
    a = np.zeros(1000)

    class Ends(Speaks):
        def __dlpack__(self):
            capsule = self.export()
            self.__dict__ = {"export": self.export}
            gc.collect()
            return capsule

    obj, made = speaking(a)
    assert footprint_of(Ends(obj.export)) == footprint_of(a)
    assert [export.deleted for export in made] == [1, 1]


def test_an_exporter_that_lets_others_run():
    a, found = np.zeros(1000), []
    obj, _ = speaking(a)

    def export():
        thread = threading.Thread(target=lambda: found.append(mp.where(speaking(a)[0])))
        thread.start()
        thread.join()
        return obj.export()

    assert mp.where(Speaks(export)) == mp.where(a)
    assert len(found) == 2


def test_nothing_stays_referenced():
    obj, made = speaking(A)
    before = sys.getrefcount(obj)
    for _ in range(50):
        mp.where(obj)
    assert sys.getrefcount(obj) == before
    assert [export.deleted for export in made] == [1] * 100
