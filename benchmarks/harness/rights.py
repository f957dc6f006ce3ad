"""Drop CAP_SYS_ADMIN for a while, to measure a process without it."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator

import movepages as mp

_VERSION_3 = 0x20080522
_SYS_ADMIN = 1 << 21
_libc = ctypes.CDLL(None, use_errno=True)


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def _call(name: str, sets: ctypes.Array[_Sets]) -> None:
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    if getattr(_libc, name)(header, sets) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def without_admin() -> Iterator[None]:
    """Drop the capability in this thread and threads it starts; restore it at the end."""
    sets = (_Sets * 2)()
    _call("capget", sets)
    before = sets[0].effective
    try:
        sets[0].effective &= ~_SYS_ADMIN
        _call("capset", sets)
        assert not mp._core.shows_frame_numbers()
        yield
    finally:
        sets[0].effective = before
        _call("capset", sets)
