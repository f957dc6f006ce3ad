"""Objects that expose memory, and objects that only seem to."""

import array
import ctypes
import mmap
import pickle
import sys
from multiprocessing import shared_memory

import numpy as np
import pytest

from movepages.pages.buffers import Region, footprint_of
from movepages.pages.footprint import Footprint

# The same on every kernel.
pytestmark = pytest.mark.host


def resident(buffer, nbytes):
    """Return how many pages of a mapping are in memory, from mincore(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    address = footprint_of(buffer).address
    out = (ctypes.c_ubyte * -(-nbytes // mmap.PAGESIZE))()
    code = libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(nbytes), out)
    assert code == 0
    return sum(byte & 1 for byte in out)


def address_of(writable):
    return ctypes.addressof(ctypes.c_char.from_buffer(writable))


@pytest.mark.parametrize(
    ("make", "nbytes"),
    [
        (lambda: np.zeros((3, 4)), 96),
        (lambda: np.zeros((3, 4))[::-1, ::2], 48),
        (lambda: np.zeros(10, object), 80),
        (lambda: np.zeros(10, "M8[s]"), 80),
        (lambda: np.zeros(10, [("a", "i2"), ("b", "f8")]), 100),
        (lambda: np.zeros(10, ">f4"), 40),
        (lambda: np.zeros(10, "U3"), 120),
        (lambda: np.zeros(10).view(np.recarray), 80),
        (lambda: np.ma.zeros(10), 80),
        (lambda: np.array(1.0), 8),
        (lambda: np.empty((0, 3)), 0),
        (lambda: np.broadcast_to(np.zeros(5), (9, 5)), 40),
        (lambda: np.frombuffer(b"12345678"), 8),
    ],
)
def test_numpy_arrays(make, nbytes):
    a = make()
    footprint = footprint_of(a)
    assert footprint.nbytes == nbytes
    if nbytes:
        reach = [(n - 1) * s for n, s in zip(a.shape, a.strides, strict=True)]
        assert footprint.address == a.ctypes.data + sum(r for r in reach if r < 0)
        assert footprint.span == a.itemsize + sum(map(abs, reach))
    assert footprint.pid == 0
    assert footprint.page_size == mmap.PAGESIZE


def test_read_only_array():
    a = np.zeros(100)
    before = footprint_of(a)
    a.flags.writeable = False
    assert footprint_of(a) == before


def test_memmap(tmp_path):
    a = np.memmap(tmp_path / "data", np.float64, "w+", shape=(1000,))
    assert footprint_of(a[10:]).address == a.ctypes.data + 80
    assert footprint_of(a).nbytes == 8000


def test_page_size_is_passed_on():
    assert footprint_of(np.zeros(1000), page_size=16).pages in {500, 501}
    assert footprint_of(bytearray(64), page_size=1).pages == 64
    assert footprint_of(Region(0, 65536), page_size=16384).pages == 4


@pytest.mark.parametrize(
    ("make", "nbytes"),
    [
        (lambda: bytearray(100), 100),
        (lambda: array.array("d", range(10)), 80),
        (lambda: (ctypes.c_int * 10)(), 40),
        (lambda: ctypes.c_double(1), 8),
        (lambda: mmap.mmap(-1, 10_000), 10_000),
        (lambda: memoryview(bytearray(100)), 100),
    ],
)
def test_writable_buffers(make, nbytes):
    obj = make()
    footprint = footprint_of(obj)
    assert (footprint.address, footprint.nbytes) == (address_of(obj), nbytes)
    assert footprint.contiguous


def test_ctypes_structures_in_formats_unknown_to_numpy():
    class Bits(ctypes.Structure):
        _fields_ = (("a", ctypes.c_int, 3), ("p", ctypes.c_void_p))

    table = (Bits * 4 * 3)()
    assert footprint_of(table).address == ctypes.addressof(table)
    assert footprint_of(table).nbytes == ctypes.sizeof(table)
    assert footprint_of(memoryview(table)[::2]).nbytes == 8 * ctypes.sizeof(Bits)


def test_bytes():
    data = b"x" * 1000
    assert footprint_of(data).address == np.frombuffer(data, np.uint8).ctypes.data
    assert footprint_of(data).nbytes == 1000
    assert footprint_of(b"").nbytes == 0


def test_strided_memoryviews():
    data = bytearray(100)
    reverse = memoryview(data)[::-2]
    assert footprint_of(reverse).dims == ((2, 50),)
    assert footprint_of(reverse).address == address_of(data) + 1
    a = np.zeros((6, 8))
    assert footprint_of(memoryview(a[::2, ::3])) == footprint_of(a[::2, ::3])
    assert footprint_of(memoryview(a.T)) == footprint_of(a)
    assert footprint_of(memoryview(np.array(1.0))).nbytes == 8


def test_shared_memory():
    block = shared_memory.SharedMemory(create=True, size=10_000)
    try:
        footprint = footprint_of(block)
        assert footprint == footprint_of(block.buf)
        assert footprint.nbytes == block.size
    finally:
        block.close()
        block.unlink()
    with pytest.raises(ValueError, match=r"SharedMemory.*released or closed"):
        footprint_of(block)


class Interface:
    """An object with the array interface only."""

    def __init__(self, **changes):
        self.data = np.zeros((4, 6))
        self.__array_interface__ = self.data.__array_interface__ | changes

    def __array__(self, *args, **kwargs):
        raise AssertionError("__array__ may copy and must not be called")


class Struct:
    def __init__(self, a):
        self.__array_struct__ = a.__array_struct__


def test_array_interface():
    obj = Interface()
    assert footprint_of(obj) == footprint_of(obj.data)
    strided = obj.data[::2, ::-1]
    obj.__array_interface__ = strided.__array_interface__
    assert footprint_of(obj) == footprint_of(strided)


def test_array_interface_around_a_buffer():
    data = bytearray(100)
    obj = Interface(data=data, offset=20, shape=(10,), typestr="<f8", strides=None)
    assert footprint_of(obj).address == address_of(data) + 20
    assert footprint_of(obj).nbytes == 80


def test_array_struct():
    a = np.zeros((4, 6))[::2, ::-1]
    assert footprint_of(Struct(a)) == footprint_of(a)


def test_region():
    region = Region(0x7000_1000, 1 << 40, pid=12)
    assert footprint_of(region) == Footprint(0x7000_1000, 1 << 40, pid=12)
    assert footprint_of(Region(0, 0)).pages == 0
    assert footprint_of(Region(2**64 - 4096, 4096)).nbytes == 4096
    assert pickle.loads(pickle.dumps(region)) == region


def test_region_keeps_plain_ints():
    region = Region(np.uint64(2**63), np.int32(8), pid=np.int16(3))
    assert [type(x) for x in (region.address, region.nbytes, region.pid)] == [int] * 3
    assert region == Region(2**63, 8, 3)
    with pytest.raises(AttributeError):
        region.pid = 4


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((-1, 8), ValueError, "address must be from 0 to .*, got -1"),
        ((0, -8), ValueError, "nbytes must be from 0 to .*, got -8"),
        ((0, 8, -1), ValueError, "pid must be from 0 to 2147483647, got -1"),
        ((0, 8, 2**31), ValueError, "pid must be from 0 to 2147483647"),
        ((2**64 - 8, 9), ValueError, "end at or below"),
        ((0, 2**64), ValueError, "nbytes must be below 2"),
        ((2**63, 2**63), ValueError, "nbytes must be below 2"),
        ((1, 2**62), ValueError, "nbytes must be below 2"),
        ((True, 8), TypeError, "address must be an int, got True of type bool"),
        ((0, 8.0), TypeError, "nbytes must be an int, got 8.0 of type float"),
        ((0, 8, "1"), TypeError, "pid must be an int, got '1' of type str"),
        ((np.bool_(True), 8), TypeError, "address must be an int"),
    ],
)
def test_bad_regions(arguments, error, message):
    with pytest.raises(error, match=message):
        Region(*arguments)


def test_footprint_of_a_footprint():
    footprint = Footprint(4096, 100)
    assert footprint_of(footprint) is footprint


class OnlyArray:
    def __array__(self, *args, **kwargs):
        raise AssertionError("__array__ may copy and must not be called")


class OnDevice:
    __cuda_array_interface__ = {"data": (1, False)}  # noqa: RUF012


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ([1, 2], "got list; expected an object that exposes its memory.*make one array"),
        ((1, 2), "got tuple; .*make one array"),
        (12, r"got int; .*Region\(address, nbytes\)"),
        ("text", "got str; "),
        (None, "got NoneType; "),
        (OnlyArray(), r"got OnlyArray; .*__array__ only.*register\(\)"),
        (OnDevice(), "got OnDevice; .*device"),
        (np.ndarray, "got type; "),
        (np.float64(1), r"numpy scalar \(float64\).*a\[i:i\+1\]"),
        (np.zeros(2, "i4,i4")[0], r"numpy scalar \(void\)"),
        (ctypes.c_void_p(8), r"pointer \(c_void_p\).*Region"),
        (ctypes.pointer(ctypes.c_int(8)), r"pointer \(LP_c_int\).*Region"),
        (Interface(data=None), "__array_interface__ of this Interface gives no usable address"),
        (Interface(data=(0, False)), "gives no usable address"),
        (Interface(typestr="nonsense"), "gives no usable address"),
    ],
)
def test_refused(obj, message):
    with pytest.raises(TypeError, match=message):
        footprint_of(obj)


def test_array_interface_without_data():
    obj = Interface()
    del obj.__array_interface__["data"]
    with pytest.raises(TypeError, match="gives no usable address"):
        footprint_of(obj)


def test_array_interface_which_is_no_dict():
    obj = Interface()
    obj.__array_interface__ = 5
    with pytest.raises(TypeError, match="gives no usable address"):
        footprint_of(obj)


def test_released_memoryview():
    view = memoryview(bytearray(10))
    view.release()
    with pytest.raises(ValueError, match=r"memoryview.*released or closed.*while it is open"):
        footprint_of(view)


def test_closed_mmap():
    mapping = mmap.mmap(-1, 4096)
    mapping.close()
    with pytest.raises(ValueError, match=r"mmap.*released or closed"):
        footprint_of(mapping)


def test_interleaving_strides():
    a = np.lib.stride_tricks.as_strided(np.zeros(100), (10, 10), (24, 16))
    with pytest.raises(ValueError, match="pass the base array"):
        footprint_of(a)


def test_nothing_stays_exported():
    data = bytearray(100)
    footprint_of(data)
    footprint_of(memoryview(data))
    data.extend(bytes(100))
    mapping = mmap.mmap(-1, 4096)
    footprint_of(mapping)
    mapping.close()
    assert len(data) == 200
    assert mapping.closed


def test_nothing_stays_referenced():
    for obj in (bytearray(10), np.zeros(10), array.array("d", [1]), Struct(np.zeros(3))):
        before = sys.getrefcount(obj)
        for _ in range(50):
            footprint_of(obj)
        assert sys.getrefcount(obj) == before


def test_nothing_is_touched():
    nbytes = 64 * mmap.PAGESIZE
    with mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as mapping:
        if resident(mapping, nbytes):
            pytest.skip("needs mincore(2), which this kernel or sandbox restricts")
        footprint = footprint_of(mapping)
        assert sum(len(a) for a, _ in footprint.chunks(7)) == 64
        assert resident(mapping, nbytes) == 0
        mapping[0] = 1
        assert resident(mapping, nbytes) > 0
