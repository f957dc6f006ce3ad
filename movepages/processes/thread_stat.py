"""What /proc/PID/task/TID/stat tells of a thread."""

from __future__ import annotations

import os
from typing import NamedTuple

# Fields after the name, which may contain anything: see proc_pid_stat(5).
_USER_TIME, _SYSTEM_TIME, _START_TIME, _PROCESSOR = 11, 12, 19, 36
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class ThreadStat(NamedTuple):
    """What the kernel tells of a thread at one moment.

    Attributes
    ----------
    name : str
    start_time : float
        Seconds from the boot of the machine to its start.
    cpu : int
        The CPU that it runs on or ran on last.
    seconds : float
        CPU time that it has used, in whole ticks of the scheduler.
    """

    name: str
    start_time: float
    cpu: int
    seconds: float


def parse_stat(text: bytes) -> ThreadStat | None:
    """Return what a stat file tells; None for that of a thread that has ended."""
    before, _, after = text.rpartition(b")")
    fields = after.split()
    if len(fields) <= _PROCESSOR:
        return None
    name = before.partition(b"(")[2].decode("utf-8", "replace")
    ticks = int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME])
    start, cpu = int(fields[_START_TIME]), int(fields[_PROCESSOR])
    return ThreadStat(name, start / _TICKS_A_SECOND, cpu, ticks / _TICKS_A_SECOND)
