"""Sample on which CPUs the threads of this process run, and their CPU time there."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .._core import read_file
from ..system.refusals import Refusal
from ..system.signal_safe import signal_safe_thread
from .thread_stat import ThreadStat, parse_stat

_SELF = Path("/proc/self")
# Least seconds between samples, and the most of a CPU that samples of many threads take.
_LEAST_S, _SHARE = 0.01, 0.05
# CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED of include/linux/posix-timers.h.
_CLOCK_OF_THREAD = 4 | 2


@dataclass
class SampledThread:
    """A thread, and its CPU time on each CPU since the first look.

    Attributes
    ----------
    tid : int
    name : str
        As in /proc/PID/task/TID/comm.
    cpus : tuple of int
        The CPUs that it might run on at the last look.
    cpu : int
        The CPU that it ran on last, or runs on.
    clock : float
        Its CPU time at the last look, in seconds.
    seconds : defaultdict
        CPU time by CPU.
    """

    tid: int
    name: str = ""
    cpus: tuple[int, ...] = ()
    cpu: int = -1
    clock: float = 0.0
    seconds: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))


class ThreadSampler:
    """Looks at the threads of this process every 10 ms or so, from a thread of its own.

    The CPU time between two looks belongs to the CPU at the later one. Samples of many threads
    are rarer, so that they take 5 % of a CPU at most.

    Attributes
    ----------
    running : threading.Lock
        The sampler's thread runs while this is locked. A ``with`` block of a lock is code that no
        signal handler interrupts, so the thread always ends.
    thread : threading.Thread
    samples : int
        Number of looks by the sampler's thread.
    seconds : float
        CPU time of the sampler's thread, after its end.
    """

    def __init__(self, proc: Path = _SELF) -> None:
        self._tasks, self._begun = proc / "task", False
        self._seen: dict[tuple[int, float], SampledThread] = {}
        self.samples, self.seconds = 0, 0.0
        self.running = threading.Lock()
        self.thread = signal_safe_thread(self._keep_looking, daemon=True)

    @property
    def threads(self) -> list[SampledThread]:
        """Each thread that was seen, the sampler's own left out."""
        return list(self._seen.values())

    def begin(self) -> None:
        """Look for the first time: what the threads have done before does not count."""
        self.look()
        for thread in self._seen.values():
            thread.seconds.clear()
        self._begun = True

    def look(self) -> None:
        """Add the CPU time of each thread since the last look.

        Threads that started meanwhile count from their start. Only one thread may look at a time.
        """
        for tid in self.tids():
            # The clock comes first: what it counts was done before the CPU is read.
            clock = _clock_of(tid)
            stat = _read_stat(self._tasks / str(tid) / "stat")
            if stat is None:
                continue
            thread = self._seen.setdefault((tid, stat.start_time), SampledThread(tid))
            now = stat.seconds if clock is None else clock
            thread.seconds[stat.cpu] += max(now - thread.clock, 0.0)
            thread.clock, thread.cpu, thread.name = now, stat.cpu, stat.name
            with Refusal():
                thread.cpus = tuple(sorted(os.sched_getaffinity(tid)))

    def tids(self) -> Iterator[int]:
        """Yield the number of each thread, but that of the sampler's own."""
        names: list[str] = []
        with Refusal():
            names = os.listdir(self._tasks)
        own = self.thread.native_id
        return (int(name) for name in names if name.isdecimal() and int(name) != own)

    def _keep_looking(self) -> None:
        pause = _LEAST_S
        while not self.running.acquire(timeout=pause):
            if self._begun:
                begin = time.thread_time()
                self.look()
                self.samples += 1
                pause = max(_LEAST_S, (time.thread_time() - begin) / _SHARE)
        self.seconds = time.thread_time()


def _clock_of(tid: int) -> float | None:
    """Return the CPU time of a thread of this process in seconds; None if that is refused.

    Unlike schedstat and stat in /proc, its clock includes the time since the scheduler's last tick.
    """
    with Refusal():
        return time.clock_gettime(~tid << 3 | _CLOCK_OF_THREAD)
    return None


def _read_stat(path: Path) -> ThreadStat | None:
    """Return what the kernel tells of a thread; None if it has ended."""
    with Refusal():
        return parse_stat(read_file(str(path)))
    return None
