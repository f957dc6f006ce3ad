"""The arrays of this worker or rank: find them, query them, and move them near its CPUs."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace

import numpy as np

from ..layouts.blocks import local
from ..migration.move import move
from ..pages.like import MemoryLike
from ..query.where import where
from ..results.outcome import MovePagesError
from ..system.refusals import Refusal
from ..system.sysfs import TopologyError
from ..system.topology import Topology
from ..system.topology_reader import read_topology
from .members import Member

# Containers in which tasks return arrays.
CONTAINERS = (list, tuple, Mapping, Set)


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
    >>> look("me", [np.ones(1000)]).absent_bytes
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
        return own_nodes(read_topology(), os.sched_getaffinity(0)), []
    return (), [_reason(refusal.error)]


def _reason(error: Exception | None) -> str:
    # Errors of this package are sentences already.
    readable = isinstance(error, (MovePagesError, TopologyError, TypeError, ValueError))
    return str(error) if readable else f"{type(error).__name__}: {error}"


def _told(problems: Iterable[str]) -> str:
    counts = Counter(problems)
    return "; ".join(each if n == 1 else f"{n:,} times: {each}" for each, n in counts.items())
