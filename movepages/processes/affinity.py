"""The CPUs of every thread of some processes, read and changed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..results.outcome import make_error
from ..system.refusals import Refusal, read_if_told
from ..units import format_ids
from .tree import threads_of

# Each pass may find threads that were started during the one before.
_MOST_PASSES = 100


class ThreadCpus(NamedTuple):
    """A thread and the CPUs that it may run on.

    Attributes
    ----------
    pid, tid : int
        The numbers of its process and of the thread itself.
    name : str
        As in /proc/PID/task/TID/comm.
    before, after : tuple of int
        The CPUs, before and after a change.
    problem : str
        Why the CPUs could not be changed; empty if they were changed or did not have to be.
    """

    pid: int
    tid: int
    name: str
    before: tuple[int, ...]
    after: tuple[int, ...]
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`."""
        cpus = {"before": list(self.before), "after": list(self.after)}
        return self._asdict() | cpus | {"problem": self.problem or None}


def refuse_unless_permitted(pid: int) -> None:
    """Raise unless this process may set the CPUs of another one.

    Raises
    ------
    MovePagesError
        There is no such process, or permission is missing.
    """
    with Refusal() as refusal:
        # This changes nothing.
        os.sched_setaffinity(pid, os.sched_getaffinity(pid))
    if refusal.code == errno.ESRCH:
        raise make_error(errno.ESRCH, f"there is no process {pid}; it may have ended")
    if refusal.code == errno.EPERM:
        raise make_error(errno.EPERM, f"the CPUs of process {pid} stay as they are: {_MAY_NOT}")
    if refusal.error:
        raise make_error(refusal.code, f"sched_setaffinity(2) of process {pid}: {refusal.why}")


def read_threads(pids: Iterable[int]) -> list[ThreadCpus]:
    """Return the threads of some processes, unchanged."""
    return change_threads(lambda: pids, None)


def change_threads(
    pids: Callable[[], Iterable[int]],
    cpus: Iterable[int] | None,
    *,
    dry_run: bool = False,
) -> list[ThreadCpus]:
    """Let every thread of some processes run on some CPUs alone; return all threads.

    A thread keeps those of its own CPUs that are among them; a thread with none gets all.

    Parameters
    ----------
    pids : callable
        Returns the processes. It is called again until no thread is new, because threads and
        processes may start meanwhile; they inherit the CPUs of the thread that starts them.
    cpus : iterable of int, optional
        The CPUs; by default nothing changes.
    dry_run : bool, default False
        Change nothing, and return what would be.
    """
    found: dict[int, ThreadCpus] = {}
    for _ in range(_MOST_PASSES):
        new = [(pid, tid) for pid in pids() for tid in threads_of(pid) if tid not in found]
        for pid, tid in new:
            thread = _read(pid, tid)
            if thread is not None and cpus is not None:
                thread = _change(thread, frozenset(cpus), dry_run=dry_run)
            if thread is not None:
                found[tid] = thread
        if cpus is None or dry_run or not any(tid in found for _, tid in new):
            break
    return list(found.values())


def _read(pid: int, tid: int) -> ThreadCpus | None:
    with Refusal():
        cpus = tuple(sorted(os.sched_getaffinity(tid)))
        name = read_if_told(pid, f"task/{tid}/comm") or b""
        return ThreadCpus(pid, tid, name.decode("utf-8", "replace").rstrip("\n"), cpus, cpus)
    return None


def _change(thread: ThreadCpus, cpus: frozenset[int], *, dry_run: bool) -> ThreadCpus | None:
    """Return the thread with its new CPUs; None if it has ended."""
    wanted = cpus.intersection(thread.before) or cpus
    if wanted == {*thread.before}:
        return thread
    if dry_run:
        return thread._replace(after=tuple(sorted(wanted)))
    with Refusal() as refusal:
        os.sched_setaffinity(thread.tid, wanted)
        return thread._replace(after=tuple(sorted(os.sched_getaffinity(thread.tid))))
    if refusal.code == errno.ESRCH:
        return None
    why = {
        errno.EPERM: _MAY_NOT,
        errno.EINVAL: f"its cpuset forbids all of the CPUs {format_ids(cpus)}",
    }
    return thread._replace(problem=why.get(refusal.code, refusal.why))


_MAY_NOT = (
    "only the same user, or a user with the capability CAP_SYS_NICE, may set them, and no sandbox "
    "may forbid sched_setaffinity(2)"
)
