"""Members of a parallel program, Dask workers or MPI ranks: what each has, and how near it is."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

from .arrays import move, where
from .errors import MovePagesError
from .html import table_html
from .layouts import local
from .machine import Topology
from .topology_reader import topology
from .units import format_bytes

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
        Of the arrays it was asked about.
    absent_bytes : int
    problem : str
        Why something is not known or was not done; "" where there is nothing to say.
    """

    name: str
    host: str = ""
    pid: int = 0
    nodes: tuple[int, ...] = ()
    bytes_per_node: Mapping[int, int] = field(default_factory=dict)
    absent_bytes: int = 0
    problem: str = ""

    @property
    def misplaced_bytes(self) -> int:
        """Bytes on a node that is none of its own."""
        return sum(n for node, n in self.bytes_per_node.items() if node not in self.nodes)


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
    try:
        for each in arrays:
            placement = where(each)
            counts.update(placement.bytes_per_node)
            absent += placement.absent_bytes
    except (MovePagesError, TypeError, ValueError) as error:
        problems.append(str(error))
    if len(nodes) > 1:
        listed = ", ".join(map(str, nodes))
        problems.append(f"not pinned: its CPUs are near nodes {listed}")
    return Member(
        name=name,
        host=socket.gethostname(),
        pid=os.getpid(),
        nodes=nodes,
        bytes_per_node=dict(sorted(counts.items())),
        absent_bytes=absent,
        problem="; ".join(problems),
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
        try:
            result = move(each, local(), flags=flags)
            # What was never written to has no place to be wrong.
            if result.failed > sum(result.absent_reasons.values()) or result.not_attempted:
                result.raise_for_status()
        except (MovePagesError, TypeError, ValueError) as error:
            problems.append(str(error))
    found = look(name, arrays)
    told = "; ".join([*dict.fromkeys(problems), *filter(None, [found.problem])])
    return Member(**{**vars(found), "problem": told})


def arrays_in(values: Iterable[object]) -> list[np.ndarray]:
    """Return the numpy arrays among some values that have memory.

    Examples
    --------
    >>> [a.shape for a in arrays_in([1, np.ones(3), "x", np.ones(0)])]
    [(3,)]
    """
    return [each for each in values if isinstance(each, np.ndarray) and each.nbytes]


def _nodes_or_problem() -> tuple[tuple[int, ...], list[str]]:
    try:
        return own_nodes(topology(), os.sched_getaffinity(0)), []
    except (OSError, ValueError) as error:
        return (), [str(error)]


def _cells(member: Member) -> tuple[str, ...]:
    memory = [f"{node}: {format_bytes(n)}" for node, n in member.bytes_per_node.items()]
    return (
        member.name,
        member.host,
        str(member.pid or ""),
        ", ".join(map(str, member.nodes)),
        ", ".join(memory) or "-",
        format_bytes(member.absent_bytes) if member.absent_bytes else "-",
        format_bytes(member.misplaced_bytes) if member.misplaced_bytes else "-",
        member.problem,
    )
