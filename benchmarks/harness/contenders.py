"""The contenders: ways to make the system call.

Each takes page addresses, a node for each page or None, an array for the statuses and a number of
calls, and returns the seconds per call.
"""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np

import movepages as mp

Contender: TypeAlias = Callable[[np.ndarray, "np.ndarray | None", np.ndarray, int], float]

SYS_MOVE_PAGES = {"x86_64": 279, "aarch64": 239}
_POINTER = ctypes.c_void_p


def timed(call: Callable[[], object], calls: int = 1) -> float:
    """Return the seconds per call."""
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls


@cache
def baseline() -> ctypes.CDLL:
    """Compile and load baseline.c."""
    if shutil.which("cc") is None:
        sys.exit("benchmarks: needs a C compiler called cc, for the bare call")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "baseline.so"
        source = Path(__file__).with_name("baseline.c")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
        loaded = ctypes.CDLL(str(library))
    loaded.time_calls.restype = ctypes.c_double
    loaded.time_calls.argtypes = [_POINTER, _POINTER, _POINTER, ctypes.c_ulong, ctypes.c_long]
    loaded.spin.argtypes = [_POINTER]
    return loaded


def by_c(pages: np.ndarray, nodes: np.ndarray | None, status: np.ndarray, calls: int = 1) -> float:
    seconds: float = baseline().time_calls(
        pages.ctypes.data,
        None if nodes is None else nodes.ctypes.data,
        status.ctypes.data,
        len(pages),
        calls,
    )
    assert seconds >= 0, "the bare system call failed"
    return seconds / calls


def by_movepages(
    pages: np.ndarray, nodes: np.ndarray | None, status: np.ndarray, calls: int = 1
) -> float:
    move_pages = mp.move_pages
    return timed(lambda: move_pages(pages, nodes, status), calls)


def by_ctypes(
    pages: np.ndarray, nodes: np.ndarray | None, status: np.ndarray, calls: int = 1
) -> float:
    syscall, number = ctypes.CDLL(None, use_errno=True).syscall, SYS_MOVE_PAGES[platform.machine()]
    pointer, as_long = _POINTER, ctypes.c_ulong

    def call() -> None:
        syscall(
            number, 0, as_long(len(pages)), pages.ctypes.data_as(pointer),
            None if nodes is None else nodes.ctypes.data_as(pointer),
            status.ctypes.data_as(pointer), mp.MPOL_MF_MOVE,
        )  # fmt: skip

    return timed(call, calls)


def by_lists(
    pages: np.ndarray, nodes: np.ndarray | None, status: np.ndarray, calls: int = 1
) -> float:
    """Call through ctypes with Python lists, and convert the statuses to a list."""
    syscall, number = ctypes.CDLL(None, use_errno=True).syscall, SYS_MOVE_PAGES[platform.machine()]
    addresses = pages.tolist()
    wanted = None if nodes is None else nodes.tolist()
    count, got = len(addresses), []

    def call() -> None:
        told = (ctypes.c_int * count)()
        syscall(
            number, 0, ctypes.c_ulong(count), (ctypes.c_void_p * count)(*addresses),
            None if wanted is None else (ctypes.c_int * count)(*wanted), told, mp.MPOL_MF_MOVE,
        )  # fmt: skip
        got[:] = told

    seconds = timed(call, calls)
    status[:] = got
    return seconds


@cache
def libnuma() -> ctypes.CDLL | None:
    """Load libnuma, or return None if it is not installed."""
    try:
        return ctypes.CDLL("libnuma.so.1", use_errno=True)
    except OSError:
        return None


def by_libnuma(
    pages: np.ndarray, nodes: np.ndarray | None, status: np.ndarray, calls: int = 1
) -> float:
    library = libnuma()
    assert library is not None
    move, pointer, as_long = library.numa_move_pages, _POINTER, ctypes.c_ulong

    def call() -> None:
        move(
            0, as_long(len(pages)), pages.ctypes.data_as(pointer),
            None if nodes is None else nodes.ctypes.data_as(pointer),
            status.ctypes.data_as(pointer), mp.MPOL_MF_MOVE,
        )  # fmt: skip

    return timed(call, calls)
