"""The threads of a process: the CPUs they may use, the last one they did use, and their time."""

from __future__ import annotations

import errno
import os
import time
from typing import Any, NamedTuple

from ..results.outcome import make_error
from ..system.refusals import Refusal, read_if_told
from .thread_stat import parse_stat
from .tree import threads_of


class ThreadUse(NamedTuple):
    """A thread, the CPUs that it may use, and how much it has run.

    Attributes
    ----------
    tid : int
        Its number; 0 for a thread that stands for one of the `cpus` passed to `advise`.
    name : str
        The name in /proc/PID/task/TID/comm. It can contain any characters: escape it before you
        print it.
    cpus : tuple of int
        The CPUs that it may run on. After an observed run, the CPUs of the nodes where it ran.
    last_cpu : int
        The CPU that it ran on last.
    seconds : float
        CPU time that it has used.
    age : float
        Seconds since it started; 0 if that is not known.
    """

    tid: int
    name: str
    cpus: tuple[int, ...]
    last_cpu: int
    seconds: float
    age: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`."""
        return self._asdict() | {"cpus": list(self.cpus)}


def read_thread_use(pid: int) -> list[ThreadUse]:
    """Return the threads of a process in the order of their numbers.

    Raises
    ------
    MovePagesError
        There is no such process (also a ProcessLookupError).
    """
    found = [each for tid in threads_of(pid) if (each := _read(pid, tid))]
    if not found:
        raise make_error(errno.ESRCH, f"there is no process {pid}; it may have ended")
    return found


def _read(pid: int, tid: int) -> ThreadUse | None:
    stat = parse_stat(read_if_told(pid, f"task/{tid}/stat") or b"")
    if stat is None:
        return None
    # Some kernels do not have this finer count.
    fine = (read_if_told(pid, f"task/{tid}/schedstat") or b"").split()
    seconds = int(fine[0]) / 1e9 if fine else stat.seconds
    age = max(time.clock_gettime(time.CLOCK_BOOTTIME) - stat.start_time, 0.0)
    with Refusal():
        cpus = tuple(sorted(os.sched_getaffinity(tid)))
        return ThreadUse(tid, stat.name, cpus, stat.cpu, seconds, age)
    return None
