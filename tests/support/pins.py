"""Pages that the kernel pins, so that they cannot be migrated."""

import contextlib
import ctypes
import fcntl
import os
import platform
from collections.abc import Iterator

from . import system
from .memory import PAGE

_SYS_VMSPLICE = {"x86_64": 278, "ppc64le": 285, "s390x": 309}.get(platform.machine(), 75)


class _Part(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


@contextlib.contextmanager
def pinned(*addresses: int) -> Iterator[None]:
    """Pin the pages at these addresses by putting them into a pipe with vmsplice(2)."""
    reader, writer = os.pipe()
    try:
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, max(1, len(addresses)) * PAGE)
        for address in addresses:
            part = _Part(int(address) // PAGE * PAGE, PAGE)
            put = system.syscall(_SYS_VMSPLICE, writer, ctypes.byref(part), 1, 0)
            assert put == PAGE, f"vmsplice took {put} bytes of a page"
        yield
    finally:
        os.close(reader)
        os.close(writer)
