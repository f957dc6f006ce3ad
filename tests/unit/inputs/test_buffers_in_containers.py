"""where() of containers with buffers of the standard library."""

import array
import ctypes
import mmap
from multiprocessing import shared_memory

import movepages as mp


def test_buffers_of_the_standard_library_in_a_container() -> None:
    shared = shared_memory.SharedMemory(create=True, size=1 << 16)
    try:
        with mmap.mmap(-1, 1 << 16) as mapped:
            holder = {
                "ctypes": (ctypes.c_double * 100)(),
                "struct": ctypes.c_double(1.0),
                "array": array.array("d", range(100)),
                "bytes": [bytearray(10), b"abc", memoryview(bytearray(10))[2:5]],
                "mmap": mapped,
                "shared": shared,
            }
            found = mp.where(holder)
            assert {name: each.nbytes for name, each in found.items()} == {
                "ctypes": 800,
                "struct": 8,
                "array": 800,
                "bytes[0]": 10,
                "bytes[1]": 3,
                "bytes[2]": 3,
                "mmap": 1 << 16,
                "shared": 1 << 16,
            }
            for name in ("ctypes", "struct", "array", "mmap", "shared"):
                assert found[name].address == mp.where(holder[name]).address
            assert found["ctypes"].address == ctypes.addressof(holder["ctypes"])
    finally:
        shared.close()
        shared.unlink()
