"""Use: on which nodes the threads run that use some memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from ..processes.locality import homes
from ..processes.observation import Observation
from ..processes.thread_use import ThreadUse
from ..system.topology import Topology
from ..units import format_ids
from .nearness import near_share
from .proportions import by_cpus, fewest, shortest

# A thread was on the nodes where it had more than this share of its CPU time.
_STRAY = 0.05

_Known = tuple[ThreadUse, set[int]]

# Threads with less than these shares of the CPU time of the busiest are helpers that hardly run.
# Those of BLAS libraries wait in a loop for up to a seventh of a second when a process starts.
_IDLE, _IDLE_IF_FREE, _WAITING_S = 0.01, 0.05, 0.5
# Bound threads that are as young may have hardly begun; older ones with no CPU time are helpers.
_YOUNG_S = 300.0
# Bound threads of any age are the workers of free ones from this share of their CPU time on.
_WORKS = 0.1


class Kind(Enum):
    """How threads are spread over nodes."""

    ONE_NODE = "all on one node"
    BOUND = "each bound to one of several nodes"
    FREE = "several, free to run on several nodes"
    FREE_ALONE = "one, free to run on several nodes"


@dataclass(frozen=True)
class Use:
    """The threads that count, and their nodes.

    Attributes
    ----------
    threads : tuple of ThreadUse
        Those that count as users: see `_counted`.
    kind : Kind
    order : tuple of int
        The node of each thread's part of the memory, in the order of the parts.
    """

    threads: tuple[ThreadUse, ...]
    kind: Kind
    order: tuple[int, ...]

    @property
    def nodes(self) -> list[int]:
        """The nodes whose CPUs use the memory, ascending."""
        return sorted({*self.order})

    @property
    def shares(self) -> dict[int, float]:
        """Share of the use by the CPUs of each node."""
        counts = Counter(self.order)
        return {node: counts[node] / len(self.order) for node in self.nodes}

    def __str__(self) -> str:
        count = len(self.threads)
        who = f"{count:,} thread{'' if count == 1 else 's'}"
        nodes = f"node{'s' if len(self.nodes) > 1 else ''} {format_ids(self.nodes)}"
        if self.kind is Kind.ONE_NODE:
            return f"{who} on {nodes}"
        if self.kind is Kind.BOUND:
            shares = ", ".join(f"node {node} {share:.0%}" for node, share in self.shares.items())
            return f"{who}, each bound to one node ({shares})"
        if self.kind is Kind.FREE_ALONE:
            return f"1 thread, free to run on several nodes, last on {nodes}"
        return f"{who}, free to run on {nodes}"


def use_of(
    machine: Topology, threads: Iterable[ThreadUse], *, waiting: float = _WAITING_S
) -> Use | None:
    """Return the use that threads make of memory; None if their CPUs are on no known node.

    Free threads count that have used more CPU time than `waiting`, in seconds.
    """
    home = homes(machine)
    known = [(each, {home[cpu] for cpu in each.cpus if cpu in home}) for each in threads]
    known = [(each, nodes) for each, nodes in known if nodes]
    if not known:
        return None
    counted = _counted(known, waiting)
    threads = tuple(each for each, _ in counted)
    union = {node for _, nodes in counted for node in nodes}
    if len(union) == 1:
        return Use(threads, Kind.ONE_NODE, tuple(union))
    if all(len(nodes) == 1 for _, nodes in counted):
        return Use(threads, Kind.BOUND, fewest(Counter(node for _, (node,) in counted)))
    if len(counted) == 1:
        ((alone, nodes),) = counted
        return Use(threads, Kind.FREE_ALONE, (home.get(alone.last_cpu, min(nodes)),))
    return Use(threads, Kind.FREE, fewest(by_cpus(threads, home)))


def _counted(known: list[_Known], waiting: float) -> list[_Known]:
    """Return the threads that count as users; free ones from `waiting` seconds on."""
    most = max(each.seconds for each, _ in known)
    least = min(max(_IDLE_IF_FREE * most, waiting), most)
    bound = [pair for pair in known if len(pair[1]) == 1]
    busy = [pair for pair in bound if pair[0].seconds >= _IDLE * most]
    free = [pair for pair in known if len(pair[1]) > 1 and pair[0].seconds >= least]
    young = [pair for pair in bound if pair[0].age <= _YOUNG_S]
    workers = busy
    # A single one that has hardly begun may only wait.
    if len([pair for pair in young if pair not in busy]) > 1:
        workers = [pair for pair in bound if pair in busy or pair in young]
    # Free threads beside as many bound ones have started them.
    works = len(young) > 1 or _seconds(busy) >= _WORKS * _seconds(free)
    return workers if works and len(workers) >= len(free) else busy + free


def _seconds(pairs: list[_Known]) -> float:
    return sum(each.seconds for each, _ in pairs)


def use_of_cpus(machine: Topology, cpus: Collection[int]) -> Use:
    """Return the use by a thread on each CPU; their parts follow one another in this order.

    Raises
    ------
    ValueError
        A CPU belongs to no node, or there is none.
    """
    home = homes(machine)
    if not cpus:
        raise ValueError("cpus: expected the numbers of CPUs, got none")
    if unknown := [cpu for cpu in cpus if cpu not in home]:
        raise ValueError(
            f"cpus: {unknown[0]} is not a CPU of any node, expected some of {format_ids(home)}"
        )
    threads = tuple(ThreadUse(0, "", (cpu,), cpu, 0.0) for cpu in cpus)
    order = tuple(home[cpu] for cpu in cpus)
    if len({*order}) == 1:
        return Use(threads, Kind.ONE_NODE, order[:1])
    return Use(threads, Kind.BOUND, shortest(order))


def use_seen(machine: Topology, seen: Observation) -> Use | None:
    """Return the use by threads that were seen to run; None if none was seen on a known node."""
    # Nobody bound these to where they ran: those that hardly ran are helpers.
    most = max((each.cpu_seconds for each in seen.threads), default=0.0)
    threads = []
    for each in seen.threads:
        if each.cpu_seconds < _IDLE * most:
            continue
        least = _STRAY * each.cpu_seconds
        nodes = [node for node, n in each.cpu_seconds_per_node.items() if n > least]
        cpus = tuple(cpu for node in nodes for cpu in machine.nodes[node].cpus)
        threads.append(ThreadUse(each.tid, each.name, cpus, each.cpu, each.cpu_seconds))
    return use_of(machine, threads, waiting=0.0)


def average_near(machine: Topology, held: Mapping[int, int], use: Use) -> float:
    """Return the share that is near if every thread uses all of it alike."""
    return sum(share * near_share(machine, held, node) for node, share in use.shares.items())
