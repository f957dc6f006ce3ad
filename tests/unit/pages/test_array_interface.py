"""An object that gives the address of a copy is refused, and nothing is moved for it."""

import ctypes
import mmap
import sys
from random import Random

import numpy as np
import pytest

import movepages as mp
from movepages.pages.buffers import footprint_of

SIZES = [1, 100, 1000, 5000, 1 << 17, 1 << 23]


class Offers:
    """An object with one attribute, which is made anew at each access."""

    def __init__(self, size, make, name="__array_interface__"):
        self.pixels = np.zeros(size, np.uint8)
        self._make, self._name = make, name

    def __getattr__(self, name):
        if name == self.__dict__.get("_name"):
            return self._make(self)
        raise AttributeError(name)


def interface(data, count):
    return {"version": 3, "shape": (count,), "typestr": "|u1", "data": data}


def as_pillow_does(self):
    return interface(self.pixels.tobytes(), self.pixels.size)


def kept_bytes(self):
    self.kept = getattr(self, "kept", None) or self.pixels.tobytes()
    return interface(self.kept, self.pixels.size)


def view_of_bytes(self):
    return interface(memoryview(self.pixels.tobytes()), self.pixels.size)


def bytearray_of_its_own(self):
    return interface(bytearray(self.pixels), self.pixels.size)


def copy_that_is_kept(self):
    self.copy = self.pixels.copy()
    return self.copy.__array_interface__


def copy_that_nobody_keeps(self):
    return self.pixels.copy().__array_interface__


def ctypes_copy_that_nobody_keeps(self):
    copy = (ctypes.c_uint8 * self.pixels.size).from_buffer_copy(self.pixels)
    return interface((ctypes.addressof(copy), False), self.pixels.size)


def struct_of_a_copy(self):
    return self.pixels.copy().__array_struct__


BYTES = [as_pillow_does, kept_bytes, view_of_bytes]
COPIES = [bytearray_of_its_own, copy_that_is_kept, copy_that_nobody_keeps,
          ctypes_copy_that_nobody_keeps]  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("make", BYTES)
def test_bytes_are_a_copy(make, size):
    with pytest.raises(TypeError, match=r"this Offers has a copy as its data.*keep np\.asarray"):
        mp.where(Offers(size, make))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("make", COPIES)
def test_a_copy_at_each_access(make, size):
    for _ in range(20):
        with pytest.raises(TypeError, match="this Offers is at another address"):
            mp.move(Offers(size, make), 0)


def test_a_copy_is_found_in_a_heap_with_many_holes():
    random = Random(0)
    for _ in range(500):
        size = random.choice([1, 100, 1000, 3000, 5000, 20_000, 100_000, 1 << 17, 1 << 20])
        held = [np.empty(random.randrange(size // 2 + 1, size * 2 + 2), "u1") for _ in range(99)]
        random.shuffle(held)
        del held[::2]
        for make in COPIES:
            with pytest.raises(TypeError, match="this Offers is at another address"):
                mp.where(Offers(size, make))


@pytest.mark.parametrize("size", SIZES)
def test_a_struct_of_a_copy(size):
    obj = Offers(size, struct_of_a_copy, "__array_struct__")
    with pytest.raises(TypeError, match="__array_struct__ of this Offers is at another address"):
        mp.where(obj)


def test_another_length_at_each_access():
    lengths = iter(range(100, 1000))
    obj = Offers(1000, lambda self: interface((self.pixels.ctypes.data, False), next(lengths)))
    with pytest.raises(TypeError, match="at another address each time"):
        mp.where(obj)


@pytest.mark.parametrize(
    "data",
    [None, (), (1,), (1, False, 2), (None, False), ("x", False), 5, "text", [4096, False], b""],
)
def test_data_without_a_usable_address(data):
    with pytest.raises(TypeError, match=r"gives no usable address|has a copy as its data"):
        mp.where(Offers(100, lambda _self: interface(data, 100)))


@pytest.mark.parametrize("size", SIZES)
def test_own_memory_is_found(size):
    for make in (
        lambda self: self.pixels.__array_interface__,
        lambda self: interface(memoryview(self.pixels), self.pixels.size),
        lambda self: interface(self.pixels, self.pixels.size),
    ):
        obj = Offers(size, make)
        assert footprint_of(obj) == footprint_of(obj.pixels)
    obj = Offers(size, lambda self: self.pixels.__array_struct__, "__array_struct__")
    assert footprint_of(obj) == footprint_of(obj.pixels)


def test_a_mapping_as_data():
    with mmap.mmap(-1, 1 << 16, access=mmap.ACCESS_READ) as mapping:
        obj = Offers(1, lambda _self: interface(mapping, 1 << 16))
        assert footprint_of(obj) == footprint_of(mapping)
        del obj


def test_array_larger_than_memory_has_a_footprint():
    a = np.broadcast_to(np.zeros(1), (1 << 40,))
    obj = Offers(1, lambda _self: a.__array_interface__)
    assert footprint_of(obj) == footprint_of(a)


# Before Python 3.12, a class in Python cannot have a buffer.
if sys.version_info >= (3, 12):

    def test_buffer_made_anew_at_each_access():
        class Copies:
            def __buffer__(self, _flags):
                return memoryview(bytearray(5000))

        with pytest.raises(TypeError, match="the buffer of this Copies is at another address"):
            mp.where(Copies())


def test_lasting_buffers_are_accepted():
    for obj in (bytearray(100), (ctypes.c_char * 100)(), memoryview(bytes(100))):
        assert footprint_of(obj).nbytes == 100
