"""Members of a parallel program, Dask workers or MPI ranks: what each has, and how near it is."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from html import escape

import numpy as np

from ..display.html import table_html
from ..layouts.blocks import local
from ..migration.move import move
from ..query.where import where
from ..results.outcome import MovePagesError
from ..system.refusals import Refusal
from ..system.sysfs import TopologyError
from ..system.topology import Topology
from ..system.topology_reader import topology
from ..units import format_bytes

# Of arrays, as tasks return them.
CONTAINERS = (list, tuple, Mapping, Set)

_TITLES = ("member", "host", "pid", "its nodes", "memory", "absent", "elsewhere", "")


@dataclass(frozen=True, kw_only=True)
class Member:
    """One process of a parallel program.

    Attributes
    ----------
    name : str
        The address of a worker, the number of a rank.
    host : str
        Nodes of different hosts have nothing to do with each other, though their numbers agree.
    pid : int
    nodes : tuple of int
        Those that are nearest to the CPUs it may run on: more than one if it is not pinned to one.
    bytes_per_node : mapping of int to int
        Of the arrays it was asked about. Of those that share memory, each counts.
    absent_bytes : int
    problem : str
        Why something is not known or was not done; "" where there is nothing to say.

    Examples
    --------
    >>> Member(name="rank 3", nodes=(1,), bytes_per_node={0: 4096, 1: 8192}).misplaced_bytes
    4096
    """

    name: str
    host: str = ""
    pid: int = 0
    nodes: tuple[int, ...] = ()
    bytes_per_node: Mapping[int, int] = field(default_factory=dict)
    absent_bytes: int = 0
    problem: str = ""

    @property
    def pinned(self) -> bool:
        """Whether all CPUs it may run on are near one node."""
        return len(self.nodes) == 1

    @property
    def misplaced_bytes(self) -> int:
        """Bytes on a node that is none of its own; 0 where ``problem`` tells why it has none."""
        elsewhere = (n for node, n in self.bytes_per_node.items() if node not in self.nodes)
        return sum(elsewhere) if self.nodes else 0


class Survey(tuple[Member, ...]):
    """What all members have: a tuple of `Member` that prints as a table."""

    @property
    def misplaced_bytes(self) -> int:
        """Bytes that are on none of the nodes of the member that has them."""
        return sum(member.misplaced_bytes for member in self)

    @property
    def ok(self) -> bool:
        """Whether all members answered, and all they have is near them."""
        return not self.misplaced_bytes and not any(member.problem for member in self)

    def __str__(self) -> str:
        rows = [_TITLES, *map(_cells, self)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return table_html(
            _TITLES, "llrlllll", [list(map(escape, _cells(member))) for member in self]
        )


def own_nodes(machine: Topology, cpus: Collection[int]) -> tuple[int, ...]:
    """Return the nodes nearest to some CPUs.

    Examples
    --------
    >>> set(own_nodes(topology(), os.sched_getaffinity(0))) <= set(topology().allowed_nodes)
    True
    """
    return tuple(sorted({machine.node_near(cpu) for cpu in cpus}))


def look(name: str, arrays: Iterable[object]) -> Member:
    """Return what this process has; what cannot be looked at is told as its problem.

    Examples
    --------
    >>> look("me", [np.ones(1000)]).misplaced_bytes
    0
    """
    nodes, problems = _nodes_or_problem()
    counts: Counter[int] = Counter()
    absent = 0
    for each in arrays:
        # Others wait for this answer: whatever goes wrong with one array is part of it.
        with Refusal(Exception) as refusal:
            placement = where(each)
        if refusal.error:
            problems.append(_reason(refusal.error))
            continue
        counts.update(placement.bytes_per_node)
        absent += placement.absent_bytes
    return Member(
        name=name,
        host=socket.gethostname(),
        pid=os.getpid(),
        nodes=nodes,
        bytes_per_node=dict(sorted(counts.items())),
        absent_bytes=absent,
        problem=_told(problems),
    )


def settle(name: str, arrays: Sequence[object], flags: int) -> Member:
    """Move arrays to the nodes of this process, and return what it has then.

    Of several nodes each CPU has an equal share, as `local` has it. What did not move is told.

    Examples
    --------
    >>> settle("me", [np.ones(1000)], MPOL_MF_MOVE).misplaced_bytes
    0
    """
    problems = []
    for each in arrays:
        with Refusal(Exception) as refusal:
            result = move(each, local(), flags=flags)
            # What was never written to has no place to be wrong.
            if result.failed > sum(result.absent_reasons.values()) or result.not_attempted:
                result.raise_for_status()
        if refusal.error:
            problems.append(_reason(refusal.error))
    found = look(name, arrays)
    return replace(found, problem="; ".join(filter(None, [_told(problems), found.problem])))


def arrays_in(values: Iterable[object]) -> list[np.ndarray]:
    """Return the numpy arrays that have memory among some values, and what these contain.

    Examples
    --------
    >>> [a.shape for a in arrays_in([1, np.ones(3), "x", {"y": (np.ones(0), np.ones(2))}])]
    [(3,), (2,)]
    """
    return list(_arrays_in(values, set()))


def _arrays_in(values: Iterable[object], within: set[int]) -> Iterator[np.ndarray]:
    for each in values:
        if isinstance(each, np.ndarray):
            if each.nbytes:
                yield each
        # What contains itself has no end.
        elif isinstance(each, CONTAINERS) and id(each) not in within:
            inner = each.values() if isinstance(each, Mapping) else each
            yield from _arrays_in(inner, within | {id(each)})


def _nodes_or_problem() -> tuple[tuple[int, ...], list[str]]:
    with Refusal(TopologyError, ValueError) as refusal:
        return own_nodes(topology(), os.sched_getaffinity(0)), []
    return (), [_reason(refusal.error)]


def _reason(error: Exception | None) -> str:
    # Those of this package are sentences already.
    readable = isinstance(error, (MovePagesError, TopologyError, TypeError, ValueError))
    return str(error) if readable else f"{type(error).__name__}: {error}"


def _told(problems: Iterable[str]) -> str:
    counts = Counter(problems)
    return "; ".join(each if n == 1 else f"{n:,} times: {each}" for each, n in counts.items())


def _cells(member: Member) -> tuple[str, ...]:
    memory = [f"{node}: {format_bytes(n)}" for node, n in member.bytes_per_node.items()]
    nodes = ", ".join(map(str, member.nodes))
    spread = f"not pinned: its CPUs are near nodes {nodes}" if len(member.nodes) > 1 else ""
    sizes = (", ".join(memory) or "-", _size(member.absent_bytes), _size(member.misplaced_bytes))
    if not member.pid:
        # Of a member without an answer nothing is known, which is not the same as nothing.
        sizes = ("?",) * 3
    elif not member.nodes:
        sizes = (*sizes[:2], "?")
    told = "; ".join(filter(None, [spread, member.problem]))
    return (member.name, member.host, str(member.pid or ""), nodes, *sizes, told)


def _size(count: int) -> str:
    return format_bytes(count) if count else "-"
