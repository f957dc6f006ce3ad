"""advise(): what is far from the threads that use it, what mends that, and whether it pays."""

from __future__ import annotations

import operator
import os
from collections.abc import Collection, Iterable

from ..pages.arguments import Count
from ..processes.process import process
from ..processes.thread_use import read_thread_use
from ..results.kept_bandwidth import bandwidth_of_host
from ..system.balancing import is_balancing
from ..system.machine_key import machine_key
from ..system.topology import Topology
from ..system.topology_reader import read_topology
from .advice import Advice
from .finding import Finding
from .judge import Setting, judge
from .subjects import Subject, of_object, of_process
from .use import Use, use_of, use_of_cpus
from .wishes import Access

_NOTHING = object()
_ACCESSES = ("parts", "all")
_PLACEMENT = (
    "This is placement, not access: which of these threads use which memory is not seen, and "
    "neither is what stays in caches."
)
_NOT_MEASURED = (
    "What a move gains is not known here: measure_bandwidth() or 'movepages bench --matrix' "
    "measures this machine, once."
)


def advise(
    obj: object = _NOTHING,
    /,
    *,
    pid: int | None = None,
    cpus: Collection[Count] | None = None,
    access: Access = "parts",
) -> Advice:
    """Say which memory is far from the threads that use it, and what would mend that.

    Parameters
    ----------
    obj : object with memory
        As for `where`. Its members of 1 MiB or more are looked at one by one, and the others
        together.
    pid : int
        Instead of `obj`: a process, whose regions are looked at.
    cpus : collection of int, optional
        The CPUs whose threads use the memory, in the order of their parts. By default, /proc tells:
        threads count that have used CPU time, or that are bound to fewer nodes than the one that
        has used the most.
    access : {"parts", "all"}
        How threads that are bound to several nodes use the memory. "parts": each its own contiguous
        part, in the order of the nodes. "all": each all of it.

    Returns
    -------
    Advice
        A `Finding` for each memory: how much is near, where to put it and why, what the move costs,
        and what a pass over the memory gains. ``execute()`` carries it out.

    Raises
    ------
    TypeError, ValueError
        Neither `obj` nor `pid` is given, or both; `obj` holds no memory; an argument is not as
        described.
    MovePagesError
        There is no such process (also a ProcessLookupError), or this process may not look at it.

    Notes
    -----
    Only the placement of memory and threads is seen, not which thread uses which memory. The advice
    is to leave memory alone where 90 % of it is near already or less than 1 MiB would move, where
    automatic balancing (kernel.numa_balancing) does it, and where by the figures of
    `measure_bandwidth` a read of all of it gains less than 5 %. These figures are taken if they
    were kept; without them the gain is not known. The cost is an estimate by `calibrate`, which is
    called if it was not before. Source: proc_pid_stat(5), sched_getaffinity(2).

    Examples
    --------
    >>> found = advise(np.ones(1 << 18), cpus=topology().nodes[topology().cpu_nodes[0]].cpus)
    >>> [each.nbytes for each in found.findings]
    [2097152]
    """
    if (obj is _NOTHING) == (pid is None):
        raise TypeError("expected either an object with memory or pid=, the number of a process")
    if access not in _ACCESSES:
        raise ValueError(f"access: expected 'parts' or 'all', got {access!r}")
    machine = read_topology()
    who = 0 if pid is None else _as_pid(pid)
    use = (
        use_of_cpus(machine, _as_cpus(cpus))
        if cpus is not None
        else use_of(machine, read_thread_use(who or os.getpid()))
    )
    subjects = of_process(who, machine) if who else of_object(obj, machine)
    return _advice(machine, subjects, use, access, who)


def _advice(
    machine: Topology, subjects: list[Subject], use: Use | None, access: Access, pid: int
) -> Advice:
    balancing = is_balancing()
    if use is None or len(machine.allowed_nodes) < 2:
        why = "the CPUs of the threads belong to no known node"
        if use is not None:
            why = "one node with memory that may be used: there is nothing to compare"
        findings: tuple[Finding, ...] = tuple(_left(each, why) for each in subjects)
        notes = [f"{why.capitalize()}."]
    else:
        bandwidth = bandwidth_of_host(machine_key(machine))
        setting = Setting(machine, use, access, balancing, bandwidth)
        findings = tuple(judge(each, setting) for each in subjects)
        changes = any(each.verdict != "leave" for each in findings)
        notes = [_PLACEMENT, *([_NOT_MEASURED] if changes and bandwidth is None else ())]
    return Advice(
        findings=findings, pid=pid, threads=use.threads if use else (),
        users=use.shares if use else {}, described_use=str(use or "no threads on known nodes"),
        balancing=balancing, notes=tuple(notes),
    )  # fmt: skip


def _left(subject: Subject, why: str) -> Finding:
    placement = subject.placement
    return Finding(
        name=subject.name, nbytes=placement.nbytes, bytes_per_node=placement.bytes_per_node,
        near=None, reason=why, _subject=subject,
    )  # fmt: skip


def _as_pid(pid: int) -> int:
    return process(pid).pid or os.getpid()


def _as_cpus(cpus: Iterable[Count]) -> list[int]:
    try:
        return [operator.index(cpu) for cpu in cpus]
    except TypeError:
        raise TypeError(f"cpus: expected the numbers of CPUs, got {cpus!r}") from None
