"""What each Dask worker or MPI rank holds, and how much of it is near its CPUs."""

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
from ..pages.like import MemoryLike
from ..query.where import where
from ..results.outcome import MovePagesError
from ..system.refusals import Refusal
from ..system.sysfs import TopologyError
from ..system.topology import Topology
from ..system.topology_reader import topology
from ..units import format_bytes

# Containers in which tasks return arrays.
CONTAINERS = (list, tuple, Mapping, Set)

_TITLES = ("member", "host", "pid", "its nodes", "memory", "absent", "elsewhere", "")


@dataclass(frozen=True, kw_only=True)
class Member:
    """One process of a parallel program.

    Attributes
    ----------
    name : str
        The address of a worker, or the number of a rank.
    host : str
        The name of its machine. Equal node numbers on different hosts are different nodes.
    pid : int
    nodes : tuple of int
        The nodes nearest to the CPUs it may run on: more than one if it is not pinned to one node.
    bytes_per_node : mapping of int to int
        Bytes of its arrays on each node. Arrays that share memory each count in full.
    absent_bytes : int
    problem : str
        Why something is not known or was not done; "" if there is nothing to report.

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
        """Whether all CPUs that it may run on have the same nearest node."""
        return len(self.nodes) == 1

    @property
    def misplaced_bytes(self) -> int:
        """Bytes on nodes that are not its own; 0 if its own nodes are not known (``problem``)."""
        elsewhere = (n for node, n in self.bytes_per_node.items() if node not in self.nodes)
        return sum(elsewhere) if self.nodes else 0


class Survey(tuple[Member, ...]):
    """The members of a program, as a tuple of `Member` that prints as a table."""

    @property
    def misplaced_bytes(self) -> int:
        """Bytes that are not on a node of the member that holds them."""
        return sum(member.misplaced_bytes for member in self)

    @property
    def ok(self) -> bool:
        """Whether all members answered, and all pages of their arrays are on nodes near them."""
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


def look(name: str, arrays: Iterable[MemoryLike]) -> Member:
    """Return what this process holds; its ``problem`` says why an array cannot be queried.

    Examples
    --------
    >>> look("me", [np.ones(1000)]).misplaced_bytes
    0
    """
    nodes, problems = _nodes_or_problem()
    counts: Counter[int] = Counter()
    absent = 0
    for each in arrays:
        # Others wait for the answer, so an error of one array goes into it.
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


def move_near(name: str, arrays: Sequence[MemoryLike], flags: int) -> Member:
    """Move arrays to the nodes of this process, and return what it holds afterwards.

    Several nodes share each array in the same way as in `local`. The ``problem`` says what did not
    move.

    Examples
    --------
    >>> move_near("me", [np.ones(1000)], MPOL_MF_MOVE).misplaced_bytes
    0
    """
    problems = []
    for each in arrays:
        with Refusal(Exception) as refusal:
            result = move(each, local(), flags=flags)
            # Pages that were never written to are on no node, so they cannot be misplaced.
            if result.failed > sum(result.absent_reasons.values()) or result.not_attempted:
                result.raise_for_status()
        if refusal.error:
            problems.append(_reason(refusal.error))
    found = look(name, arrays)
    return replace(found, problem="; ".join(filter(None, [_told(problems), found.problem])))


def arrays_in(values: Iterable[object]) -> list[np.ndarray]:
    """Return the non-empty numpy arrays among some values, also those inside containers.

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
        # Skip a container that is already being walked: one inside itself would never end.
        elif isinstance(each, CONTAINERS) and id(each) not in within:
            inner = each.values() if isinstance(each, Mapping) else each
            yield from _arrays_in(inner, within | {id(each)})


def _nodes_or_problem() -> tuple[tuple[int, ...], list[str]]:
    with Refusal(TopologyError, ValueError) as refusal:
        return own_nodes(topology(), os.sched_getaffinity(0)), []
    return (), [_reason(refusal.error)]


def _reason(error: Exception | None) -> str:
    # Errors of this package are sentences already.
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
        # Nothing is known of a member without an answer; "-" would mean that it has nothing.
        sizes = ("?",) * 3
    elif not member.nodes:
        sizes = (*sizes[:2], "?")
    told = "; ".join(filter(None, [spread, member.problem]))
    return (member.name, member.host, str(member.pid or ""), nodes, *sizes, told)


def _size(count: int) -> str:
    return format_bytes(count) if count else "-"
