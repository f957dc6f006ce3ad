"""Put a model of the kernel beneath movepages: memory of any size, on any number of nodes."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import movepages as mp
from movepages import _core
from movepages.query import shortcuts

MODEL = Path(__file__).parents[1] / "model"
CORE = Path(__file__).parents[2] / "csrc"
START, PAGE, BLOCK = 1 << 44, 4096, 2 << 20
_POINTER = ctypes.c_void_p
_NO_FEWEST = (1 << 64) - 1


def data(array: np.ndarray) -> int:
    """Return the address of the data; `array.ctypes` would leave a cycle for each call."""
    return _core.buffer_address(array)


class Counts(ctypes.Structure):
    """What the C++ core asked of the model."""

    _fields_ = (
        ("moving_calls", ctypes.c_int64),
        ("queries", ctypes.c_int64),
        ("scans", ctypes.c_int64),
        ("entries", ctypes.c_int64),  # of all lists
        ("moved", ctypes.c_int64),  # pages
        ("clock_ns", ctypes.c_int64),
        ("longest_ns", ctypes.c_int64),  # the longest moving call
    )


@dataclass(frozen=True)
class Memory:
    """Memory on node 0, and where it is wanted.

    Blocks of 2 MiB are wanted on `nodes` nodes in turn, from node `first` on. One page in `every`
    is present. Every moving call costs `fixed_ns` besides its pages.
    """

    pages: int
    huge: bool = False
    first: int = 0
    nodes: int = 1
    every: int = 1
    fixed_ns: int = 155_000

    @property
    def region(self) -> mp.Region:
        return mp.Region(START, self.pages * PAGE)

    @property
    def target(self) -> mp.Layout | int:
        wanted = range(self.first, self.first + self.nodes)
        return mp.interleave(wanted, block=BLOCK) if self.nodes > 1 else self.first


@cache
def library(*options: str) -> ctypes.CDLL:
    """Compile and load the core without its binding, on the model."""
    compiler = (os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or "").split()
    if not compiler:
        sys.exit("benchmarks: needs a C++ compiler called c++ or g++, for the model of the kernel")
    sources = [*MODEL.glob("*.cpp"), *CORE.glob("driver/*.cpp"), *CORE.glob("survey/*.cpp")]
    flags = ["-std=c++17", "-O2", "-shared", "-fPIC", "-pthread", "-Wl,-Bsymbolic", f"-I{CORE}"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.so"
        subprocess.run([*compiler, *flags, *options, *sources, "-o", path], check=True)
        loaded = ctypes.CDLL(str(path))
    size = ctypes.c_size_t
    loaded.begin.argtypes = [size, size, size, size, ctypes.c_bool, ctypes.c_int64]
    loaded.survey.argtypes = [size, _POINTER, _POINTER, size, ctypes.c_bool]
    loaded.survey.restype = loaded.not_placed.restype = size
    loaded.take_runs.argtypes = [_POINTER] * 4
    loaded.move_pages.argtypes = [
        size, _POINTER, _POINTER, ctypes.c_int32, ctypes.c_bool, _POINTER,
    ]  # fmt: skip
    loaded.move_pages.restype = ctypes.c_long
    loaded.peak_bytes.restype = ctypes.c_int64
    return loaded


class ModelKernel:
    """The functions of `_core` that ask the kernel, on the model."""

    def __init__(self, memory: Memory) -> None:
        self.memory, self._library = memory, library()
        self.calls = 0  # of these functions
        self._library.begin(
            memory.pages, memory.every, memory.first, memory.nodes, memory.huge, memory.fixed_ns
        )

    @property
    def counts(self) -> Counts:
        found = Counts()
        self._library.read_counts(ctypes.byref(found))
        return found

    @property
    def scratch_bytes(self) -> int:
        """The most that the C++ core has allocated at once."""
        return int(self._library.peak_bytes())

    @property
    def not_placed(self) -> int:
        """Number of pages that are not where they are wanted."""
        return int(self._library.not_placed())

    def survey(self, starts: Any, pages: Any, *how: Any) -> tuple[Any, ...]:
        _, _, _, fewest, _, ask_small, *_ = how
        self.calls += 1
        least = _NO_FEWEST if fewest is None else fewest
        count = self._library.survey(len(starts), data(starts), data(pages), least, ask_small)
        runs = [np.empty(count, kind) for kind in (np.uintp, np.int64, np.int32, np.uint8)]
        self._library.take_runs(*map(data, runs))
        return None, *runs

    def move_pages(self, pages: Any, nodes: Any, status: Any, *_: Any) -> tuple[int, int] | None:
        self.calls += 1
        several = isinstance(nodes, np.ndarray)
        error = self._library.move_pages(
            len(pages), data(pages), data(nodes) if several else None,
            0 if several or nodes is None else nodes, nodes is not None, data(status),
        )  # fmt: skip
        return (error, -1) if error else None

    def scan_huge(self, start: int, end: int, _: int) -> tuple[Any, Any]:
        self.calls += 1
        edges = [[start], [end]] if self.memory.huge else [[], []]
        return np.array(edges[0], np.uintp), np.array(edges[1], np.uintp)

    def reach(self, start: int, end: int, most: int, _: int) -> int:
        self.calls += 1
        return min(end, start + most * self.memory.every * PAGE)

    def allowed_nodes(self) -> list[int]:
        return list(range(self.memory.first + self.memory.nodes))

    def resident_pages(self, _: int) -> int:
        return -(-self.memory.pages // self.memory.every)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Let movepages ask this kernel instead of the real one."""
        answers = {
            name: getattr(self, name)
            for name in ("survey", "move_pages", "scan_huge", "reach", "allowed_nodes")
        }
        answers["shows_frame_numbers"] = lambda: False
        answers["engine"] = lambda: "move_pages"
        with ExitStack() as stack:
            for name, answer in answers.items():
                stack.enter_context(mock.patch.object(_core, name, answer))
            # numa_maps knows nothing of this memory.
            patch = mock.patch.object(shortcuts, "resident_pages", self.resident_pages)
            stack.enter_context(patch)
            yield
