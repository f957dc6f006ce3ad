"""Count hardware events of the threads of this process, by perf_event_open(2)."""

from __future__ import annotations

import ctypes
import errno
import math
import os
import platform
import resource
import struct
from collections import deque
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import NamedTuple, Self

from .privileges import text_if_any

_PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
_NUMBERS = {
    "x86_64": 298,
    "aarch64": 241,
    "riscv64": 241,
    "loongarch64": 241,
    "ppc64le": 319,
    "s390x": 331,
}
_ANY_CPU, _NO_GROUP = -1, -1
_FLAG_FD_CLOEXEC = 8
_FORMAT_TOTAL_TIME_ENABLED, _FORMAT_TOTAL_TIME_RUNNING = 1, 2
_READ = struct.Struct("=3Q")
# The rest is for what runs in the block.
_SHARE_OF_DESCRIPTORS = 0.25
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.syscall.argtypes = [ctypes.c_long, ctypes.c_void_p, *[ctypes.c_long] * 4]


class Event(NamedTuple):
    """An event of include/uapi/linux/perf_event.h."""

    type: int
    config: int


_HW_CACHE, _NODE, _READS, _MISS = 3, 6, 0 << 8, 1 << 16
# Loads that memory answered, and those of them that the memory of another node answered.
NODE_LOADS = (Event(_HW_CACHE, _NODE | _READS), Event(_HW_CACHE, _NODE | _READS | _MISS))


class _Attributes(ctypes.Structure):
    """The first version of struct perf_event_attr."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("config", ctypes.c_uint64),
        ("sample_period", ctypes.c_uint64),
        ("sample_type", ctypes.c_uint64),
        ("read_format", ctypes.c_uint64),
        ("disabled", ctypes.c_uint64, 1),
        ("inherit", ctypes.c_uint64, 1),
        ("pinned", ctypes.c_uint64, 1),
        ("exclusive", ctypes.c_uint64, 1),
        ("exclude_user", ctypes.c_uint64, 1),
        ("exclude_kernel", ctypes.c_uint64, 1),
        ("exclude_hv", ctypes.c_uint64, 1),
        ("wakeup", ctypes.c_uint32),
        ("breakpoint_type", ctypes.c_uint32),
        ("breakpoint_address", ctypes.c_uint64),
    )


class EventCounters:
    """Counts events of some threads, and of those that they start, while its block runs.

    The counters count in user mode alone, for which `kernel.perf_event_paranoid` may be 2. They
    also count child processes, when those have ended.

    Parameters
    ----------
    threads : iterable of int
        Threads of this process. Threads that have ended are left out.
    events : iterable of Event
        By default, loads that memory answered, and those that another node's memory answered.

    Attributes
    ----------
    counts : tuple of int or None
        The count of each event, after the block. A counter that shared the hardware with others is
        scaled by the share of the time that it had. None if nothing could be counted.
    why_none : str
        Why there are no counts; empty if there are.

    Notes
    -----
    Source: perf_event_open(2).
    """

    def __init__(self, threads: Iterable[int], events: Iterable[Event] = NODE_LOADS) -> None:
        self.counts: tuple[int, ...] | None = None
        self.why_none = ""
        self._threads, self._events = tuple(threads), tuple(events)
        self._descriptors: tuple[list[int], ...] = tuple([] for _ in self._events)
        # An iterator of built-in functions, which a signal handler cannot interrupt. It sees what
        # is opened later.
        opened = filter((-1).__lt__, chain(*self._descriptors))
        self._closing = map(os.close, opened)

    def __enter__(self) -> Self:
        needed, limit = len(self._threads) * len(self._events), _most_descriptors()
        if needed > limit * _SHARE_OF_DESCRIPTORS:
            self.why_none = (
                f"counters of {len(self._threads):,} threads need {needed:,} file descriptors, and "
                f"this process may open {limit:,} in all (ulimit -n)"
            )
            return self
        for thread in self._threads:
            for event, descriptors in zip(self._events, self._descriptors, strict=True):
                code = _open(event, thread, descriptors)
                if code not in (0, errno.ESRCH):
                    self.why_none = _reason(code)
                    self.close()
                    return self
        return self

    def __exit__(self, kind: type[BaseException] | None, *_raised: object) -> None:
        try:
            if kind is None and not self.why_none:
                self._read()
        finally:
            self.close()

    def _read(self) -> None:
        found = [_total(each) for each in self._descriptors]
        counts = [each for each in found if each is not None]
        if len(counts) == len(found):
            self.counts = tuple(counts)
        else:
            self.why_none = "other programs used the processor's counters all the time"

    def close(self) -> None:
        """Close all counters. Nothing happens if they are closed."""
        deque(self._closing, maxlen=0)

    __del__ = close


def _open(event: Event, thread: int, descriptors: list[int]) -> int:
    """Add a counter's descriptor, or -1, to a list; return the errno, or 0."""
    attributes = _Attributes(
        type=event.type,
        size=ctypes.sizeof(_Attributes),
        config=event.config,
        read_format=_FORMAT_TOTAL_TIME_ENABLED | _FORMAT_TOTAL_TIME_RUNNING,
        inherit=1,
        exclude_kernel=1,
        exclude_hv=1,
    )
    number = _NUMBERS.get(platform.machine())
    if number is None:
        return errno.ENOSYS
    arguments = (number, ctypes.addressof(attributes), thread, _ANY_CPU, _NO_GROUP)
    each = ((one,) for one in (*arguments, _FLAG_FD_CLOEXEC))
    # No signal handler runs between the system call and the list that keeps its descriptor.
    descriptors.extend(map(_libc.syscall, *each))
    return ctypes.get_errno() if descriptors[-1] < 0 else 0


def _total(descriptors: Iterable[int]) -> int | None:
    """Return the scaled sum of some counters; None if no counter had the hardware at any time."""
    total, waited, had = 0.0, False, False
    for each in descriptors:
        if each < 0:
            continue
        value, enabled, running = _READ.unpack(os.read(each, _READ.size))
        if running:
            total += value * enabled / running
            had = True
        waited |= enabled > 0 and not running
    return None if waited and not had else round(total)


def _most_descriptors() -> float:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return math.inf if limit == resource.RLIM_INFINITY else limit


def _reason(code: int) -> str:
    if code in (errno.EACCES, errno.EPERM):
        return (
            "this process may not use the processor's counters: that needs "
            f"kernel.perf_event_paranoid of 2 or less (here: {text_if_any(_PARANOID)}) or the "
            "capability CAP_PERFMON, and no sandbox that forbids perf_event_open(2)"
        )
    if code in (errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV, errno.EINVAL):
        return "this processor or virtual machine has no counters of loads by node"
    if code == errno.ENOSYS:
        return "this kernel has no perf_event_open(2), or a sandbox hides it"
    return f"perf_event_open(2): {os.strerror(code)}"
