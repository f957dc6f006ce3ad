"""Observation: what one run of a function did, thread by thread and node by node."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..display.escaping import printable
from ..results.plain import by_node, picked
from ..system.numa_counters import BalancingCounters, NodeCounters
from ..units import format_ids

# Threads that are shown one by one, and the share of CPU time from which one counts.
_SHOWN, _COUNTS = 8, 0.01


@dataclass(frozen=True, kw_only=True)
class ObservedThread:
    """A thread, and where it ran.

    Attributes
    ----------
    tid : int
    name : str
        As in /proc/PID/task/TID/comm. A process can choose any characters: escape it before you
        print it.
    cpus : tuple of int
        The CPUs that it might run on, when it was seen last; empty if that is not known.
    cpu : int
        The CPU that it ran on last.
    cpu_seconds_per_cpu, cpu_seconds_per_node : mapping of int to float
        CPU time during the run, leaving out CPUs and nodes where it had none.
    """

    tid: int
    name: str
    cpus: tuple[int, ...]
    cpu: int
    cpu_seconds_per_cpu: Mapping[int, float]
    cpu_seconds_per_node: Mapping[int, float]

    @property
    def cpu_seconds(self) -> float:
        """CPU time on all CPUs."""
        return sum(self.cpu_seconds_per_cpu.values(), 0.0)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`."""
        return picked(self, "tid name cpu cpu_seconds") | _by_place(self) | {"cpus": [*self.cpus]}


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One run of a function: where its threads ran, and what was counted during the run.

    It shows where threads ran, not which memory they used.

    Attributes
    ----------
    seconds : float
        How long the function took.
    threads : tuple of ObservedThread
        The threads of this process, those with the most CPU time first.
    samples : int
        How often the threads were sampled during the run. They are also sampled before and after
        it.
    unseen_seconds : float
        CPU time of this process that no sample shows, for example that of short-lived threads.
    minor_faults, major_faults : int
        Page faults of this process without (minor) and with (major) a read from a device.
    numa : mapping of int to NodeCounters
        Pages that all processes of the machine allocated on each node during the run.
    balancing : BalancingCounters
        What automatic NUMA balancing did during the run, to all processes of the machine.
    node_loads, node_load_misses : int or None
        Loads of these threads in user mode that were served from memory, and those served from the
        memory of another node. None if the processor did not count them.
    no_counters : str
        Why the processor did not count; empty if it did.
    result : object
        What the function returned.

    Examples
    --------
    >>> from movepages.processes.observing import observe
    >>> seen = observe(sorted, [range(1000)])
    >>> len(seen.result), seen.seconds > 0, len(seen.threads) > 0
    (1000, True, True)
    """

    seconds: float
    threads: tuple[ObservedThread, ...] = ()
    samples: int = 0
    unseen_seconds: float = 0.0
    minor_faults: int = 0
    major_faults: int = 0
    numa: Mapping[int, NodeCounters] = field(default_factory=dict)
    balancing: BalancingCounters = field(default_factory=BalancingCounters)
    node_loads: int | None = None
    node_load_misses: int | None = None
    no_counters: str = ""
    result: Any = field(default=None, repr=False, compare=False)

    @property
    def cpu_seconds(self) -> float:
        """CPU time of all threads."""
        return sum((each.cpu_seconds for each in self.threads), 0.0)

    @property
    def cpu_seconds_per_cpu(self) -> dict[int, float]:
        """CPU time of all threads on each CPU, leaving out CPUs where they had none."""
        return _summed(each.cpu_seconds_per_cpu for each in self.threads)

    @property
    def cpu_seconds_per_node(self) -> dict[int, float]:
        """CPU time of all threads on the CPUs of each node, leaving out nodes without any."""
        return _summed(each.cpu_seconds_per_node for each in self.threads)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`, without what the function returned."""
        names = "seconds cpu_seconds samples unseen_seconds minor_faults major_faults"
        return {
            **picked(self, names),
            **_by_place(self),
            "threads": [each.as_dict() for each in self.threads],
            "numa": {str(node): each._asdict() for node, each in self.numa.items()},
            "balancing": self.balancing._asdict(),
            **picked(self, "node_loads node_load_misses"),
            "no_counters": self.no_counters or None,
        }

    def __repr__(self) -> str:
        return f"<Observation of {self.seconds:.3g} s, {self._cpu_time()}>"

    def __str__(self) -> str:
        lines = [f"{self.seconds:.3g} s, {self._cpu_time()}, samples: {self.samples:,}"]
        lines += self._thread_lines()
        if self.unseen_seconds > _COUNTS * self.cpu_seconds:
            lines.append(f"{self.unseen_seconds:.3g} s of CPU time by threads that no sample saw")
        lines.append(f"page faults: {self.minor_faults:,} minor, {self.major_faults:,} major")
        lines += self._machine_lines()
        if self.node_loads is None or self.node_load_misses is None:
            lines.append(f"no count of loads: {self.no_counters or 'not tried'}")
        else:
            share = self.node_load_misses / max(self.node_loads, 1)
            loads = f"{self.node_loads:,} loads from memory, {self.node_load_misses:,}"
            lines.append(f"{loads} ({share:.1%}) from another node")
        return "\n".join(textwrap.fill(line, 79, subsequent_indent="  ") for line in lines)

    def _cpu_time(self) -> str:
        found = self.cpu_seconds_per_node.items()
        nodes = ", ".join(f"node {node}: {seconds:.3g} s" for node, seconds in found)
        return f"{self.cpu_seconds:.3g} s of CPU time ({nodes or 'no node known'})"

    def _thread_lines(self) -> Iterator[str]:
        counted = [
            each
            for each in self.threads
            if each.cpu_seconds and each.cpu_seconds >= _COUNTS * self.threads[0].cpu_seconds
        ]
        for each in counted[:_SHOWN]:
            found = each.cpu_seconds_per_node.items()
            nodes = ", ".join(f"{seconds:.3g} s on node {node}" for node, seconds in found)
            may = f"may run on CPUs {format_ids(each.cpus)}, " if each.cpus else ""
            name = f"thread {each.tid} ({printable(each.name)})"
            yield f"{name}: {nodes or f'{each.cpu_seconds:.3g} s'}; {may}last on CPU {each.cpu}"
        others = len(self.threads) - len(counted[:_SHOWN])
        if others:
            yield f"other threads, with less CPU time: {others:,}"

    def _machine_lines(self) -> Iterator[str]:
        for node, n in self.numa.items():
            if n.numa_hit or n.numa_miss:
                yield (
                    f"node {node}, all processes: {n.numa_hit:,} pages allocated as wanted, "
                    f"{n.numa_miss:,} although another node was wanted"
                )
        faults, local, moved, _ = self.balancing
        if faults or moved:
            yield (
                f"NUMA balancing, all processes: {faults or 0:,} hint faults, {local or 0:,} of "
                f"them local, {moved or 0:,} pages migrated"
            )


def _by_place(of: Observation | ObservedThread) -> dict[str, Any]:
    names = ("cpu_seconds_per_cpu", "cpu_seconds_per_node")
    return {name: by_node(getattr(of, name)) for name in names}


def _summed(each: Iterable[Mapping[int, float]]) -> dict[int, float]:
    total: dict[int, float] = {}
    for counts in each:
        for place, seconds in counts.items():
            total[place] = total.get(place, 0.0) + seconds
    return dict(sorted(total.items()))
