"""The memory policy of a thread, by bare system calls."""

import contextlib
import ctypes

from . import system
from .system import SYS_GET_MEMPOLICY, SYS_SET_MEMPOLICY


def of_thread() -> tuple[int, tuple[int, ...]]:
    """Return mode with flags, and nodes, of the calling thread's policy."""
    mode = ctypes.c_int()
    mask = system.node_mask()
    system.syscall(SYS_GET_MEMPOLICY, ctypes.addressof(mode), mask, system.MAX_NODES + 1, None, 0)
    bits = 8 * ctypes.sizeof(mask._type_)
    nodes = (n for n in range(system.MAX_NODES) if mask[n // bits] >> n % bits & 1)
    return mode.value, tuple(nodes)


@contextlib.contextmanager
def thread_has(mode: int, *nodes: int):
    """Give the calling thread a policy within a block."""
    before = of_thread()
    _set(mode, nodes)
    try:
        yield
    finally:
        _set(*before)


def _set(mode: int, nodes: tuple[int, ...]) -> None:
    mask = system.node_mask(*nodes) if nodes else None
    system.syscall(SYS_SET_MEMPOLICY, mode, mask, system.MAX_NODES + 1 if nodes else 0)
