"""What an object exports by DLPack is read as it is described; hostile exports are refused."""

import gc
import threading

import pytest

import movepages as mp
from movepages import _core
from support.dlpack import (
    ARRAYS,
    IS_PADDED,
    KINDS,
    A,
    Export,
    capsule_at,
    export_of,
    name_of,
)

# The same on every kernel.
pytestmark = pytest.mark.host

of_every_shape = pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
of_both_kinds = pytest.mark.parametrize("kind", KINDS)


def read(export):
    """Return what the core tells of an export, and check that its deleter is called once."""
    found = _core.dlpack_memory(export.capsule)
    assert name_of(export.capsule).startswith(b"used_dltensor")
    assert not export.deleted
    told = (*found[:4], *found[5:])
    del found
    assert export.deleted == 1
    return told


@of_both_kinds
@of_every_shape
def test_memory_of_an_array(array, kind):
    found = read(export_of(array, kind))
    assert found == (array.ctypes.data, array.shape, array.strides, 8, 1, 0, False)


@of_both_kinds
@pytest.mark.parametrize(
    ("bits", "lanes", "itemsize"), [(16, 1, 2), (8, 3, 3), (4, 2, 1), (64, 2, 16)]
)
def test_elements_of_whole_bytes(kind, bits, lanes, itemsize):
    export = Export(kind, data=4096, shape=(5, 7), bits=bits, lanes=lanes)
    assert read(export)[:4] == (4096, (5, 7), (7 * itemsize, itemsize), itemsize)


@pytest.mark.parametrize(
    ("shape", "bits", "nbytes"),
    [((4,), 4, 2), ((5,), 4, 3), ((3, 3), 4, 5), ((), 1, 1), ((7,), 6, 6), ((0, 5), 4, 0),
     ((2**63 - 1,), 1, 2**60)],
)  # fmt: skip
def test_elements_of_less_than_a_byte_are_bytes(shape, bits, nbytes):
    found = read(Export(data=4096, shape=shape, bits=bits))
    assert found[:4] == (4096, (nbytes,), (1,), 1)


def test_elements_padded_to_bytes():
    found = read(Export(data=4096, shape=(3, 5), bits=4, flags=IS_PADDED))
    assert found[:4] == (4096, (3, 5), (5, 1), 1)


def test_strided_elements_of_less_than_a_byte():
    export = Export(data=4096, shape=(3, 5), strides=(10, 2), bits=4)
    with pytest.raises(TypeError, match="strided ones of 4 bits; pass a contiguous tensor"):
        read(export)
    assert export.deleted == 1
    # The stride of an axis with one element says nothing.
    assert read(Export(data=4096, shape=(1, 6), strides=(99, 1), bits=4))[1] == (3,)


def test_byte_offset():
    assert read(Export(data=4096, byte_offset=100, shape=(5,)))[0] == 4196


def test_nothing_at_no_address():
    found = read(Export(data=None, shape=(3, 0)))
    assert found[:4] == (0, (3, 0), (1, 1), 1)


HOSTILE = {
    "ndim below 0": ({"ndim": -1}, "at most 64 axes, got -1"),
    "ndim of a 32-bit minimum": ({"ndim": -(2**31)}, "at most 64 axes"),
    "too many axes": ({"ndim": 65, "shape": [1] * 65}, "at most 64 axes, got 65"),
    "no shape": ({"ndim": 2, "shape": None}, "axes but no shape"),
    "negative length": ({"shape": (3, -1)}, "negative length, -1"),
    "negative length in nothing": ({"shape": (0, -(2**63))}, "negative length"),
    "shape too large": ({"shape": (2**40, 2**40)}, "exceed 63 bits"),
    "shape too large of nothing": ({"shape": (2**40, 2**40, 0)}, "exceed 63 bits"),
    "bytes too many": ({"shape": (2**62,), "bits": 64}, "exceed 63 bits"),
    "bytes too many, broadcast": (
        {"shape": (2**62,), "strides": (0,), "bits": 64}, "exceed 63 bits"),
    "stride too large": ({"shape": (2,), "strides": (2**62,), "bits": 64}, "exceed 63 bits"),
    "stride too negative": ({"shape": (2,), "strides": (-(2**63),), "bits": 16}, "exceed 63 bits"),
    "no data": ({"data": None, "shape": (3,)}, "elements but no data"),
    "no data for one value": ({"data": None}, "elements but no data"),
    "no bits": ({"bits": 0}, "0 bits"),
    "no lanes": ({"lanes": 0}, "0 bits"),
    "offset too large": ({"byte_offset": 2**64 - 1}, "beyond 64 bits"),
}  # fmt: skip


@of_both_kinds
@pytest.mark.parametrize("deleter", [True, False])
@pytest.mark.parametrize(("given", "message"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_tensors(kind, given, message, deleter):
    export = Export(kind, **({"data": 4096, "deleter": deleter} | given))
    with pytest.raises(ValueError, match=message):
        _core.dlpack_memory(export.capsule)
    assert export.deleted == deleter


@pytest.mark.parametrize("major", [0, 2, 2**32 - 1])
def test_other_major_version(major):
    # Beyond the deleter, the structure of another version is unknown.
    export = Export(major=major, ndim=-5)
    with pytest.raises(TypeError, match=f"expected DLPack version 1, got version {major}"):
        _core.dlpack_memory(export.capsule)
    assert export.deleted == 1


@of_both_kinds
def test_a_capsule_is_taken_once(kind):
    export = export_of(A, kind)
    found = _core.dlpack_memory(export.capsule)
    for _ in range(2):
        with pytest.raises(TypeError, match=r"new DLPack capsule, got .*used_dltensor"):
            _core.dlpack_memory(export.capsule)
    with pytest.raises(TypeError, match="dlpack_owner"):
        _core.dlpack_memory(found[4])
    assert not export.deleted
    del found
    gc.collect()
    assert export.deleted == 1


@pytest.mark.parametrize("name", [b"", b"dltensor2", b"used_dltensor", b"DLTENSOR", b"\xff\xfe"])
def test_capsules_of_another_name_are_left_alone(name):
    export = Export(name=name, data=4096)
    with pytest.raises(TypeError, match="expected a new DLPack capsule, got <capsule object"):
        _core.dlpack_memory(export.capsule)
    assert name_of(export.capsule) == name
    assert not export.deleted


def test_a_capsule_without_a_name():
    with pytest.raises(TypeError, match="expected a new DLPack capsule, got <capsule object NULL"):
        _core.dlpack_memory(capsule_at(4096, None))


def test_no_deleter():
    for kind in KINDS:
        export = export_of(A, kind, deleter=False)
        assert _core.dlpack_memory(export.capsule)[1] == A.shape
        assert export.deleted == 0


def test_an_exception_on_its_way_survives_the_deleter():
    ran = []

    def on_delete():
        with pytest.raises(ZeroDivisionError):
            ran.append(1 / 0)
        ran.append(mp.where(A).pages)

    for given, error in (({}, "given to the caller"), ({"ndim": -1}, "at most 64 axes")):
        export = Export(data=4096, on_delete=on_delete, **given)
        with pytest.raises(ValueError, match=error):
            raise_with(_core.dlpack_memory(export.capsule))
        assert export.deleted == 1
    assert len(ran) == 2


def raise_with(_found):
    raise ValueError("given to the caller")


def test_many_threads_take_one_capsule():
    for _ in range(50):
        export = export_of(A)
        start, found = threading.Barrier(4), []

        def take(start=start, found=found, export=export):
            start.wait()
            try:
                found.append(_core.dlpack_memory(export.capsule))
            except (TypeError, ValueError):
                found.append(None)

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(each is None for each in found) == [False, True, True, True]
        found.clear()
        assert export.deleted == 1
