"""The processes that a process has started, and those that they have started in turn."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..system.refusals import Refusal, is_there, read_if_told

# Fields of /proc/PID/stat after the name, which may contain anything: see proc_pid_stat(5).
_PARENT, _START_TIME = 1, 19


class Identity(NamedTuple):
    """A process, told apart from later ones with the same number."""

    pid: int
    start_time: int


def identity(pid: int) -> Identity | None:
    """Return the identity of a process; None if there is no such process."""
    fields = _stat(pid)
    return Identity(pid, int(fields[_START_TIME])) if fields else None


def threads_of(pid: int) -> list[int]:
    """Return the threads of a process, ascending; none if it has ended."""
    return sorted(_numbers(f"/proc/{pid}/task"))


def with_descendants(pids: Iterable[int]) -> list[int]:
    """Return these processes and all below them, parents before their children.

    A process whose parent has ended belongs to init and is not below the parent any more.
    """
    found, new = dict.fromkeys(pids), list(pids)
    children = _Children()
    while new:
        new = [pid for parent in new for pid in children.of(parent) if pid not in found]
        found.update(dict.fromkeys(new))
    return list(found)


class _Children:
    """Children of processes: from each thread's list, or of kernels without it from all of /proc.

    Notes
    -----
    Source: CONFIG_PROC_CHILDREN of the kernel.
    """

    def __init__(self) -> None:
        self._by_parent: dict[int, list[int]] | None = None
        if not is_there("/proc/thread-self/children"):
            self._by_parent = {}
            for pid in _numbers("/proc"):
                fields = _stat(pid)
                if fields:
                    self._by_parent.setdefault(int(fields[_PARENT]), []).append(pid)

    def of(self, pid: int) -> list[int]:
        """Return the children of a process."""
        if self._by_parent is not None:
            return self._by_parent.get(pid, [])
        lists = (read_if_told(pid, f"task/{thread}/children") for thread in threads_of(pid))
        return [int(child) for each in lists if each for child in each.split()]


def _stat(pid: int) -> list[bytes]:
    return (read_if_told(pid, "stat") or b"").rpartition(b")")[2].split()


def _numbers(folder: str) -> Iterator[int]:
    names: list[str] = []
    with Refusal():
        names = os.listdir(folder)
    return (int(name) for name in names if name.isdecimal())
