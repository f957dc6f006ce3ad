"""advise(): what is far from the threads that use it, what mends that, and whether it pays."""

from __future__ import annotations

import operator
import os
from collections.abc import Collection, Iterable
from typing import Any

from ..pages.arguments import Count
from ..processes.observation import Observation
from ..processes.observing import observe
from ..processes.process import process
from ..processes.thread_use import read_thread_use
from ..results.kept_bandwidth import bandwidth_of_host
from ..system.balancing import is_balancing
from ..system.machine_key import machine_key
from ..system.topology import Topology
from ..system.topology_reader import read_topology
from .advice import Advice
from .calls import as_function, is_function, of_call
from .finding import Finding
from .judge import Setting, judge
from .mappings import Mappings
from .notes import notes_for, why_nothing
from .subjects import Subject, of_object, of_process
from .totals import totals_of
from .use import Use, use_of, use_of_cpus, use_seen
from .wishes import Access

_NOTHING = object()
_ACCESSES = ("parts", "all")


def advise(
    obj: object = _NOTHING,
    /,
    *args: Any,
    pid: int | None = None,
    cpus: Collection[Count] | None = None,
    access: Access = "parts",
) -> Advice:
    """Report which memory is far from the threads that use it, and how to bring them together.

    Parameters
    ----------
    obj : object with memory, or callable
        As for `where`, with memory of this process. Members of 1 MiB or more are examined one by
        one, and smaller ones together. If `obj` is a function, it runs once, with `args`, while its
        threads are observed. The memory of its arguments and of what it returns is then examined.
    *args
        Arguments of the function.
    pid : int
        Instead of `obj`: a process, whose regions are examined.
    cpus : collection of int, optional
        The CPUs of the threads that use the memory. The first CPU belongs to the thread that uses
        the first part of the memory, and so on; a set is sorted. By default, /proc shows the
        threads that count. A thread bound to one node counts if it has used 1 % of the CPU time of
        the busiest thread. Bound threads that started in the last five minutes also count if there
        are several. A thread that is free to run on several nodes counts if it has used at least 5
        % of the busiest thread's CPU time, and at least half a second. It does not count if there
        are at least as many bound threads. For a function, the threads count on the nodes where
        they ran.
    access : {"parts", "all"}
        How threads on several nodes use the memory. "parts": each thread uses its own contiguous
        part, in the order of the nodes. "all": each thread uses all of it.

    Returns
    -------
    Advice
        A `Finding` for each member or region: how much of it is near, where to put it and why, how
        long the move takes, and how much faster a pass over the memory is afterwards. ``execute()``
        carries the advice out. For a function, ``.observed`` describes its run, and ``.result`` is
        what it returned.

    Raises
    ------
    TypeError, ValueError
        Neither `obj` nor `pid` is given, or both are; `obj` exposes no memory and is no function;
        or another argument is invalid.
    MovePagesError
        There is no such process (also a ProcessLookupError), or this process may not inspect it.
    Exception
        Any exception that the function raises.

    Notes
    -----
    The advice rests on where memory and threads are. It does not see which thread uses which
    memory. The verdict is ``leave`` if 90 % of the memory is near already, if less than 1 MiB would
    move, or if automatic balancing (kernel.numa_balancing) moves it. It is also ``leave`` if a read
    of all of it would gain less than 5 %, by the figures that `measure_bandwidth` kept; without
    such figures, the gain is not known. The cost is estimated at the rate of `calibrate`, which is
    called if it has not been called before. Source: proc_pid_stat(5), sched_getaffinity(2).

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
    given = None if cpus is None else use_of_cpus(machine, _as_cpus(cpus))
    if pid is not None:
        who = process(pid).pid or os.getpid()
        threads = read_thread_use(who)
        mappings = Mappings(who, machine.memory_nodes)
        subjects = of_process(who, mappings.regions)
        use = given or use_of(machine, threads)
        return _advice(machine, subjects, use, access, mappings, pid=who)
    mappings = Mappings(0, machine.memory_nodes)
    if args or is_function(obj):
        seen = observe(as_function(obj), args)
        subjects, notes = of_call(args, seen.result)
        use = given or use_seen(machine, seen)
        return _advice(machine, subjects, use, access, mappings, seen=seen, notes=notes)
    subjects = of_object(obj)
    use = given or use_of(machine, read_thread_use(os.getpid()))
    return _advice(machine, subjects, use, access, mappings)


def _advice(
    machine: Topology,
    subjects: list[Subject],
    use: Use | None,
    access: Access,
    mappings: Mappings,
    *,
    pid: int = 0,
    seen: Observation | None = None,
    notes: tuple[str, ...] = (),
) -> Advice:
    balancing, bandwidth, nothing = is_balancing(), None, why_nothing(machine, use)
    findings = [_left(each, nothing) for each in subjects] if nothing else []
    if use is not None and not nothing:
        bandwidth, totals = bandwidth_of_host(machine_key(machine)), totals_of(subjects)
        setting = Setting(machine, use, access, balancing, bandwidth, totals, mappings)
        findings = [judge(each, setting) for each in subjects]
    told = notes_for(findings, use, nothing, measured=bandwidth is not None, seen=seen is not None)
    return Advice(
        findings=tuple(findings), pid=pid, threads=use.threads if use else (),
        users=use.shares if use else {}, described_use=str(use or "no threads on known nodes"),
        balancing=balancing, notes=(*notes, *told), observed=seen,
    )  # fmt: skip


def _left(subject: Subject, why: str) -> Finding:
    placement = subject.placement
    return Finding(
        name=subject.name, nbytes=placement.nbytes, bytes_per_node=placement.bytes_per_node,
        near=None, reason=why, _subject=subject,
    )  # fmt: skip


def _as_cpus(cpus: Iterable[Count]) -> list[int]:
    """Return the numbers of CPUs; those of a set, as of an affinity, in ascending order."""
    try:
        found = [operator.index(cpu) for cpu in cpus]
    except TypeError:
        raise TypeError(f"cpus: expected the numbers of CPUs, got {cpus!r}") from None
    return sorted(found) if isinstance(cpus, (set, frozenset)) else found
