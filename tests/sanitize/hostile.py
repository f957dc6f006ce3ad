"""Invalid arguments, and some valid ones, for every function of the core."""

from __future__ import annotations

import contextvars
import mmap
import os
import random
from collections.abc import Callable
from typing import Any

import numpy as np
from hostile_dlpack import dlpack_memory

from movepages import _core

PAGE = mmap.PAGESIZE
AREA_PAGES = 600
# The fuzzer queries, moves and advises only this memory and addresses with nothing mapped.
AREA = np.frombuffer(
    mmap.mmap(-1, AREA_PAGES * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), np.uint8
)
AREA[: AREA_PAGES // 2 * PAGE] = 1
START = AREA.ctypes.data

EDGES = [0, 1, -1, 2, 7, 63, 64, 255, 1023, 1024, 4095, 4096, 2**31 - 1, 2**31, -(2**31), 2**32]
EDGES += [2**47, 2**47 - 4096, 2**62, 2**63 - 1, 2**63, -(2**63), 2**64 - 4096, 2**64 - 1, 2**64]
EDGES += [10**40, -(10**40)]
DTYPES = ["u1", "i1", "?", "i4", "u4", "i8", "u8", ">i4", ">u8", "f4", "f8", "c16", "O", "S3", "U2"]
DTYPES += ["M8[s]", "m8[ns]", "V5", [("a", "i4"), ("b", "u8")]]
# Leaves out 100 and 101, which take pages out of service for the whole machine, and 102, after
# which any access to the area crashes.
ADVICE = [*range(30), 103, -1, 2**31 - 1]


class Index:
    """A number whose `__index__` returns or raises anything."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def __index__(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Pause:
    """A `pause` callback that raises after a number of calls."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def __call__(self) -> None:
        self.calls -= 1
        if self.calls < 0:
            raise ValueError("paused")


class Hostile:
    """Chooses arguments; the same seed gives the same arguments."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(self.random.getrandbits(64))

    def one_in(self, count: int) -> bool:
        return self.random.randrange(count) == 0

    def among(self, choices: Any) -> Any:
        return self.random.choice(choices)

    def number(self) -> Any:
        kind = self.random.randrange(6)
        if kind == 0:
            return Index(self.among([3, 2**70, "three", ValueError("no number"), None]))
        if kind == 1:
            return self.among([np.int8(-1), np.uint64(2**64 - 1), np.float64("nan"), True, 1.5])
        return self.among(EDGES)

    def anything(self) -> Any:
        choices: list[Callable[[], Any]] = [
            self.number, self.array, lambda: None, object, dict, list, lambda: "text",
            lambda: "\0", lambda: b"bytes" * 9, lambda: float("nan"), lambda: memoryview(AREA),
            lambda: memoryview(bytes(16)).cast("i"), lambda: [1, 2, 3], lambda: type,
            lambda: contextvars.ContextVar("variable"), lambda: np.ma.masked_array([1], [True]),
        ]  # fmt: skip
        return self.among(choices)()

    def count(self) -> int:
        return int(self.among([0, 1, 2, 15, 16, 17, 100, 511, 513, 4096, 5000]))

    def array(self) -> Any:
        """Return an array of any type, shape, stride and alignment."""
        dtype = np.dtype(self.among(DTYPES))
        if dtype.hasobject:
            return np.empty(self.count() % 20, dtype)
        count = self.count()
        raw = self.numbers.integers(0, 256, (count + 1) * dtype.itemsize, np.uint8)
        if dtype.kind == "U":
            raw[:] = 0  # numpy cannot print invalid characters.
        offset = self.among([0, 0, 1])
        whole = raw[offset : offset + count * dtype.itemsize].view(dtype)
        shaped = self.among([
            lambda: whole, lambda: whole[::2], lambda: whole[::-1], lambda: whole.reshape(1, -1),
            lambda: whole[:1].reshape(()) if count else whole,
            lambda: np.broadcast_to(whole, (2, count)),
            lambda: np.broadcast_to(whole[:1], (count,)) if count else whole,
        ])()  # fmt: skip
        if self.one_in(4):
            shaped.flags.writeable = False
        return shaped

    def address(self) -> int:
        """Return an address in the area, or one that cannot be mapped."""
        if self.one_in(4):
            beyond = self.random.getrandbits(46) | 1 << 63
            return int(self.among([0, 1, 4096, 2**47, 2**63, 2**64 - 4096, 2**64 - 1, beyond]))
        inside = START + self.random.randrange(AREA_PAGES) * PAGE
        return inside + (self.random.randrange(PAGE) if self.one_in(8) else 0)

    def pages(self, count: int) -> Any:
        if self.one_in(8):
            return self.anything()
        return np.array([self.address() for _ in range(count)], np.uintp)

    def nodes(self, count: int) -> Any:
        if self.one_in(8):
            return self.anything()
        choices = [0, 0, 0, 1, -1, 63, 1023, 1024, 2**31 - 1, -(2**31), -2, -14]
        some = choices[: self.among([3, 4, len(choices)])]
        return self.numbers.choice(np.array(some, np.int32), count)

    def counts(self, count: int) -> Any:
        if self.one_in(8):
            return self.anything()
        choices = [0, 1, 2, 100, AREA_PAGES, -1, -(2**63), 2**31, 2**52, 2**63 - 1]
        some = choices[: self.among([5, len(choices)])]
        return self.numbers.choice(np.array(some, np.int64), count)

    def status(self, count: int, *others: Any) -> Any:
        """Return a buffer for statuses, sometimes in the memory of another argument."""
        if self.one_in(8):
            return self.anything()
        arrays = [
            each for each in others if isinstance(each, np.ndarray) and each.nbytes >= 4 * count
        ]
        if arrays and self.one_in(6):
            try:
                return self.among(arrays).reshape(-1).view(np.int32)[:count]
            except (TypeError, ValueError):
                pass
        return np.empty(count + (1 if self.one_in(10) else 0), np.int32)

    def pid(self) -> Any:
        return (
            self.number() if self.one_in(6) else self.among([0, 0, 0, os.getpid(), -1, 2**31 - 1])
        )

    def flags(self) -> Any:
        return self.number() if self.one_in(6) else self.among([0, 2, 2, 2, 4, 6, 8, -1])

    def pause(self) -> Any:
        return self.among([None, None, Pause(0), Pause(2), Pause(1000), 3, len])


def move_pages(h: Hostile) -> tuple[Any, ...]:
    count = h.count()
    pages = h.pages(count)
    nodes = h.among([None, 0, -1, 1024, h.number(), h.nodes(count), h.nodes(count)])
    threads = h.among([1, 1, 2, 8, 0, h.number()])
    return pages, nodes, h.status(count, pages, nodes), h.pid(), h.flags(), h.pause(), threads


def query_few(h: Hostile) -> tuple[Any, ...]:
    count = h.among([0, 1, 63, 64, 65, h.count()])
    pages = h.pages(count)
    return pages, h.among([None, h.status(count, pages, None)])


def sort_out(h: Hostile) -> tuple[Any, ...]:
    count = h.count()
    before = h.nodes(count)
    if isinstance(before, np.ndarray) and before.dtype == np.int32 and before.flags.writeable:
        before[: count // 3] = _core.NOT_ATTEMPTED
    return h.pages(count), before, h.nodes(count)


def survey(h: Hostile) -> tuple[Any, ...]:
    count = h.among([0, 1, 3, 17])
    return (
        h.pages(count), h.counts(count), h.pid(), h.flags(), h.among([1, 2, 8, 0, h.number()]),
        h.among([None, 1, 16, h.number()]), h.among([0, 1, 256, h.number()]),
        h.among([True, False, h.anything()]), h.among([True, False, h.anything()]), h.pause(),
    )  # fmt: skip


def presence(h: Hostile) -> tuple[Any, ...]:
    count = h.among([0, 1, 3, 17])
    return h.pages(count), h.pages(count), h.pid()


def heap(h: Hostile) -> tuple[Any, ...]:
    mode = h.among([0, 1, 2, 2, 3, 4, 5, 6, 2 | 1 << 15, h.number()])
    return mode, h.nodes(h.among([0, 1, 3])), h.among([0, 1, 4096, 4 << 20, h.number()])


def any_range(h: Hostile) -> tuple[Any, Any]:
    pages = h.among([0, 1, 2, 100, AREA_PAGES])
    if h.one_in(6):
        return h.address() | 1 << 63, h.number()
    return START, pages * PAGE


def advise(h: Hostile) -> tuple[Any, ...]:
    return *any_range(h), h.among(ADVICE), h.among([PAGE, 16 * PAGE, 2**63, 0, 1, h.number()])


def own_pid(h: Hostile) -> Any:
    """Return a pid of this process or of none; no other process may be harmed."""
    return h.among([0, 0, os.getpid(), -1, 2**31 - 1, None, 1.5])


def keep_memory(name: str, arguments: list[Any]) -> None:
    """Replace advice that could discard memory outside the area.

    madvise(2) accepts a range that extends beyond the mapped addresses, and acts on everything
    mapped in it, including the stack.
    """
    most = {"advise": AREA_PAGES * PAGE, "advise_each": PAGE}.get(name)
    if most is not None and len(arguments) > 2 and not _is_at_most(arguments[1], most):
        arguments[2] = mmap.MADV_NORMAL


def _is_at_most(nbytes: Any, most: int) -> bool:
    return type(nbytes) is int and nbytes <= most


def advise_each(h: Hostile) -> tuple[Any, ...]:
    return h.pages(h.among([0, 1, 5])), h.among([0, 1, PAGE, 2**63]), h.among(ADVICE), own_pid(h)


def migrate_process(h: Hostile) -> tuple[Any, ...]:
    return own_pid(h), h.nodes(h.among([0, 1, 3])), h.nodes(h.among([0, 1, 3]))


def reach(h: Hostile) -> tuple[Any, ...]:
    end = h.among([START + AREA_PAGES * PAGE, h.number()])
    return h.among([START, h.number()]), end, h.among([0, 1, 100, h.number()]), h.pid()


def bind(h: Hostile) -> tuple[Any, ...]:
    mode = h.among([0, 1, 2, 3, 4, 5, 6, -1, h.number()])
    return *any_range(h), mode, h.nodes(h.among([0, 1, 3])), h.among([0, 1, 2, 4, 7, h.number()])


def resident(h: Hostile) -> tuple[Any, ...]:
    return any_range(h)


def share(h: Hostile) -> Any:
    if h.one_in(10):
        return h.anything()
    starts, sizes = zip(*(any_range(h) for _ in range(h.among([1, 3]))), strict=True)
    if h.one_in(10):
        starts = (h.address(),) * len(sizes)
    if h.one_in(4) or not all(type(each) is int and 0 <= each < 2**63 for each in sizes):
        pages = h.pages(len(sizes)), h.counts(len(sizes))
    else:
        pages = np.array(starts, np.uintp), np.array(sizes, np.int64)
    cpus = h.among([np.zeros(0, np.int32), np.zeros(1, np.int32), h.nodes(2)])
    count = h.among([0, 1, 2])
    nodes = h.among([np.zeros(count, np.int32), h.nodes(count)])
    reserves = h.among([np.zeros(count, np.int64), h.counts(count)])
    return nodes, reserves, *pages, cpus, h.among([0, 1, 3, 2**32 - 1, h.number()])


def part(h: Hostile) -> Any:
    if h.one_in(10):
        return h.anything()
    pages = [AREA[PAGE * n : PAGE * (n + 4)] for n in (0, 2, 8)]
    memory, source = (
        h.among([AREA[64:128], h.anything()] if h.one_in(6) else pages) for _ in range(2)
    )
    cpu = h.among([1, -1, 65535, h.number()]) if h.one_in(6) else 0
    return memory, source if h.one_in(2) else None, cpu


def path(h: Hostile) -> tuple[Any, ...]:
    places = ["/proc/self/maps", "/proc/self/status", "/proc/self/mem", "/", "", "a\0b", "/nowhere"]
    places += [
        "x" * 5000,
        "\udc80",
        "/sys/devices/system/node",
        "/sys/devices/system",
        "/proc/self/fd",
    ]
    return (h.among([*places, h.anything()]),)


def small_array(h: Hostile) -> Any:
    inside = AREA[h.random.randrange(AREA.size) :][: h.among([0, 1, 4096, 10**5, 10**6])]
    return h.among([inside, inside, h.array(), h.anything()])


ARGUMENTS: dict[str, Callable[[Hostile], tuple[Any, ...]]] = {
    "FirstTouch": lambda h: (*heap(h)[:2], h.among([OSError, h.anything()])),
    "Heap": heap,
    "Setting": lambda h: (h.among([contextvars.ContextVar("v"), h.anything()]), h.anything()),
    "advise": advise,
    "advise_each": advise_each,
    "allowed_nodes": lambda _h: (),
    "bind": bind,
    "buffer_address": lambda h: (h.anything(),),
    "current_cpu": lambda _h: (),
    "chase": lambda h: (
        h.among([AREA[:PAGE], AREA[: 100 * PAGE], memoryview(AREA), h.anything()]),
        h.among([64, 64, 8, 128, h.number()]),
        h.among([np.zeros(1, np.int32), np.zeros(2, np.int32), h.nodes(3), h.anything()]),
        h.among([0, 0.01, 1e9, h.number()]),
        h.among([0, 7, h.number()]),
        h.pause(),
    ),
    "contiguous_arrays": lambda h: (
        h.among([h.anything(), [h.anything(), h.array()], (h.array(),), [AREA[::2], AREA[:5]]]),
    ),
    "all_on_node": lambda h: (small_array(h), h.among([0, 1, h.number()])),
    "dlpack_memory": dlpack_memory,
    "node_room": lambda h: (h.among([0, 1, -1, h.number()]),),
    "object_blocks": lambda h: (h.among([h.anything(), [h.anything(), "text", b"bytes", 10**9]]),),
    "engine": lambda _h: (),
    "is_own": lambda h: (h.pid(),),
    "mempolicy_nodes": lambda h: (h.pages(h.count()),),
    "migrate_process": migrate_process,
    "move_pages": move_pages,
    "policy": lambda h: (h.among([h.address(), h.number()]),),
    "populate": lambda h: (h.among([[share(h), share(h)], [share(h)], h.anything()]), h.pause()),
    "presence": presence,
    "probe": lambda _h: (),
    "query_few": query_few,
    "reach": reach,
    "read_file": path,
    "resident": resident,
    "scan_huge": lambda h: (
        h.among([START, h.number()]),
        h.among([START + 2**24, h.number()]),
        h.pid(),
    ),
    "shows_frame_numbers": lambda _h: (),
    "set_policy": lambda h: (
        h.among([0, 1, 2, 3, 4, 5, 6, -1, h.number()]),
        h.nodes(h.among([0, 1, 3])),
    ),
    "small_on_one_node": lambda h: (small_array(h),),
    "sort_out": sort_out,
    "survey": survey,
    "untold": lambda h: (h.among([0, 1, 100, 2**25, h.number()]),),
    "traffic": lambda h: (
        h.anything() if h.one_in(12) else h.among(["read", "write", "copy"]),
        h.anything() if h.one_in(12) else [part(h) for _ in range(h.among([1, 1, 2, 3]))],
        h.number() if h.one_in(12) else h.among([0, 0.01, 1000]),
        h.pause(),
    ),
    "tells_what_is_in_memory": lambda h: (h.among([h.address(), h.number()]),),
    "huge_ranges_by_count": lambda h: (
        h.among(["/proc/self/smaps", *path(h)]),
        h.among([0, START, h.number()]),
        h.among([START + 2**24, 2**63, h.number()]),
        h.among([0, 1, 2**40, h.number()]),
    ),
    "use_engine": lambda h: (h.among([None, "policy", "proc", "move_pages", h.anything()]),),
}
