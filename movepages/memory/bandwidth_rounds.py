"""Time threads that read, write, copy and chase pointers, and check what they found."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .. import _core
from ..results.bandwidth_figures import Rates
from ..results.outcome import make_error

Bytes: TypeAlias = "npt.NDArray[np.uint8]"
_Parts: TypeAlias = "list[tuple[Bytes, Bytes | None, int]]"

# The sizes of halves of a part are multiples of the stride of the loops.
_UNIT = 128
_WORDS = 1 << 64
_CHASED_BYTES = 64 << 20, 256 << 20


class Part(NamedTuple):
    """Memory for the thread on one CPU."""

    memory: Bytes
    cpu: int


def divide(memory: Bytes, cpus: Sequence[int], nbytes: int | None = None) -> list[Part]:
    """Return equal parts of some memory, one for each CPU, of `nbytes` if it is given.

    Examples
    --------
    >>> [part.memory.nbytes for part in divide(np.zeros(1000, np.uint8), [0, 3])]
    [384, 384]
    """
    each = part_nbytes(len(memory), len(cpus)) if nbytes is None else nbytes
    return [Part(memory[i * each : (i + 1) * each], cpu) for i, cpu in enumerate(cpus)]


def part_nbytes(nbytes: int, count: int) -> int:
    """Return the bytes of each of `count` equal parts."""
    return nbytes // count // _UNIT * _UNIT


def measure_rates(parts: list[Part], seconds: float, tell: Callable[[], None]) -> Rates:
    """Return the bandwidths of threads that use all parts at once; `tell` is called after each.

    Each takes `seconds`, but three rounds at least.

    Raises
    ------
    MovePagesError
        A thread cannot start or run on its CPU, or the memory does not hold what was written.
    """
    whole: _Parts = [(part.memory, None, part.cpu) for part in parts]
    halves = [np.split(part.memory, 2) for part in parts]
    copies: _Parts = [(b, a, part.cpu) for (a, b), part in zip(halves, parts, strict=True)]
    written = [sum_of_addresses(part.memory) for part in parts]
    copied = [sum_of_addresses(source) for source, _ in halves]
    total, found = sum(part.memory.nbytes for part in parts), {}
    # The words that the first writes are what the others find.
    for kind, them, expected in (
        ("write", whole, written),
        ("read", whole, written),
        ("copy", copies, copied),
    ):
        came = _core.traffic(kind, them, seconds, None)
        if isinstance(came, BaseException):
            raise came
        code, index, took, _rounds, sums = came
        _refuse(code, parts[index].cpu)
        if sums != expected:
            raise make_error(
                errno.EIO,
                f"after the rounds of {kind}, memory does not hold what was written there",
            )
        found[kind] = total / took / 1e9
        tell()
    return Rates(**found)


def measure_latencies(
    memory: Bytes, line: int, cpus: Sequence[int], seconds: float, largest_cache: int
) -> list[float]:
    """Return the nanoseconds of a load by each CPU, one after the other.

    Raises
    ------
    MovePagesError
        A thread cannot start or run on its CPU.
    """
    least, most = _CHASED_BYTES
    # As no line is loaded twice, twice the cache suffices.
    nbytes = min(len(memory), max(least, min(2 * largest_cache, most))) // line * line
    seed = int.from_bytes(os.urandom(8), "little")
    came = _core.chase(memory[:nbytes], line, np.array(cpus, np.int32), seconds, seed, None)
    if isinstance(came, BaseException):
        raise came
    code, index, found = came
    _refuse(code, cpus[index])
    return [ns for ns, _steps, _last in found]


def sum_of_addresses(memory: Bytes) -> int:
    """Return the sum of the addresses of all 64-bit words, modulo 2**64."""
    words = len(memory) // 8
    return (words * memory.ctypes.data + 8 * (words * (words - 1) // 2)) % _WORDS


def _refuse(code: int, cpu: int) -> None:
    if code:
        raise make_error(code, f"no thread can run on CPU {cpu}: {os.strerror(code)}")
