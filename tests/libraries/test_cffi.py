"""where() of C data of cffi."""

import ctypes
import subprocess
import sys

import pytest

import movepages as mp

cffi = pytest.importorskip("cffi")
FFI = cffi.FFI()
FFI.cdef("struct point { int x; double y[100]; };")


def address(cdata) -> int:
    return int(FFI.cast("uintptr_t", cdata))


@pytest.mark.parametrize(
    "make",
    [
        lambda: FFI.new("double[]", 1000),
        lambda: FFI.new("double[1000]"),
        lambda: FFI.new("double[50][60]"),
        lambda: FFI.new("struct point[3]"),
        lambda: FFI.new("int *"),
        lambda: FFI.new("struct point *"),
        lambda: FFI.new("double(*)[100]"),
        lambda: FFI.new("double[]", 1000)[10:20],
        lambda: FFI.gc(FFI.new("double[10]"), lambda _: None),
        lambda: FFI.from_buffer("double[]", bytearray(800)),
        lambda: FFI.from_buffer(bytearray(800)),
    ],
)
def test_data_of_known_size(make) -> None:
    cdata = make()
    for found in (mp.where(cdata), mp.where([cdata])["[0]"]):
        assert found.address == address(cdata)
        assert found.nbytes == len(FFI.buffer(cdata))


def test_a_pointer_to_an_array_that_it_does_not_own() -> None:
    array = FFI.new("double[100]")
    found = mp.where(FFI.cast("double(*)[100]", array))
    assert (found.address, found.nbytes) == (address(array), 800)


def test_values_stay() -> None:
    array = FFI.new("int[]", list(range(100)))
    mp.where(array)
    assert list(array) == list(range(100))


@pytest.mark.parametrize(
    "make",
    [
        lambda: FFI.cast("double *", 4096),
        lambda: FFI.cast("struct point *", FFI.new("struct point[2]")),
        lambda: FFI.new("double[100]") + 1,
        lambda: FFI.cast("double(*)[]", 4096),
        lambda: FFI.cast("double(*)[100]", 0),
        lambda: FFI.new("struct point *")[0],
        lambda: FFI.NULL,
        lambda: FFI.cast("int", 3),
        lambda: FFI.new_handle(FFI),
    ],
)
def test_data_of_unknown_size_is_refused(make) -> None:
    with pytest.raises(TypeError, match=r"how many bytes.*Region\(address, nbytes\)"):
        mp.where(make())


def test_extern_arrays_of_a_library() -> None:
    ffi = cffi.FFI()
    ffi.cdef("extern const char *sys_errlist_of_no_library[]; extern char **environ;")
    library = ffi.dlopen(None)
    with pytest.raises(TypeError, match="how many bytes"):
        mp.where(library.environ)


def test_a_buffer_of_it_works_as_well() -> None:
    array = FFI.new("double[100]")
    assert mp.where(FFI.buffer(array)).address == address(array)
    assert mp.where(ctypes.c_char.from_buffer(FFI.buffer(array))).nbytes == 1


def test_cffi_is_not_imported() -> None:
    code = (
        "import movepages, sys; movepages.where(bytearray(10)); "
        "assert not {'cffi', '_cffi_backend'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
