"""plan(): report what a move would do, before anything moves."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import replace

from .._core import MAX_NODES, engine
from ..inputs.memory_of import memory_of
from ..layouts.by_member import MemberTarget, wanted_by
from ..layouts.targets import Target
from ..pages.like import MemoryLike
from ..pages.page_set import PageSet
from ..query.explain import Call, explain
from ..query.syscall import MPOL_MF_MOVE
from ..results.member_results import why_torn
from ..results.status import PageStatus
from ..system.node import Node
from ..system.target_nodes import machine, unusable_node
from ..units import format_bytes, format_pages, refuse_unknown
from .forecast import Plan
from .huge_page_targets import OnConflict
from .move import CONFLICTS
from .plan_counts import PlanCounts


def plan(a: MemoryLike, target: MemberTarget, *, on_conflict: OnConflict = "majority") -> Plan:
    """Report what `move` would do with the same arguments. Nothing moves.

    Parameters
    ----------
    a : object with memory
        As for `where`.
    target : int, array_like of int32, Layout, Placement, Placements or mapping
        As for `move`.
    on_conflict : {"majority", "split", "raise"}
        As for `move`. A plan never raises for a conflict.

    Returns
    -------
    Plan

    Raises
    ------
    TypeError, ValueError
        The array or the target is invalid, as for `move`.
    MovePagesError
        The process cannot be queried.

    Examples
    --------
    >>> p = plan(np.ones(1 << 20), topology().allowed_nodes[0])
    >>> p.problems
    ()
    """
    refuse_unknown("on_conflict", on_conflict, CONFLICTS)
    array, footprint = memory_of(a)
    wanted = wanted_by(target, array, footprint)
    # An invalid node number has no place in a count.
    sound = all(0 <= node < MAX_NODES for node in wanted.distinct)
    count = PlanCounts()
    if sound:
        count.add_all(footprint, wanted, on_conflict)
    made = Plan(
        pages=footprint.pages,
        page_size=footprint.page_size,
        flows={pair: n * footprint.page_size for pair, n in sorted(count.flows.items())},
        absent=count.absent,
        untargeted=count.untargeted,
        overruled=count.overruled,
        torn=count.torn,
        split=count.split,
        wanted={node: n * footprint.page_size for node, n in sorted(count.wanted.items())},
        hidden=count.hidden,
        _why_torn=why_torn(wanted),
        _array=a,
        _target=target,
        _on_conflict=on_conflict,
    )
    now = machine() if made.arriving else None
    short = short_of_memory(made.arriving, now.nodes) if now else []
    refused = _refused(footprint, wanted) or _forbidden(made)
    problems = (*refused, *short, *_hidden(made))
    return replace(made, problems=problems)


def _forbidden(made: Plan) -> list[str]:
    """Return why nothing can move where a sandbox leaves no call that moves pages."""
    if engine() != "proc" or not (made.arriving or made.hidden):
        return []
    return [explain(errno.EPERM, Call(0, MPOL_MF_MOVE))[1]]


def _hidden(made: Plan) -> list[str]:
    if not made.hidden:
        return []
    what = PageStatus.ENODATA
    return [f"{format_pages(made.hidden)} may stay where they are: {what.meaning}; {what.remedy}"]


def _refused(footprint: PageSet, target: Target) -> list[str]:
    rest = list(target.distinct)
    found = []
    while (node := unusable_node(rest, footprint.pid)) is not None:
        rest.remove(node)
        found.append(explain(errno.ENODEV, Call(footprint.pid, MPOL_MF_MOVE, refused_node=node))[1])
    return found


def short_of_memory(arriving: Mapping[int, int], nodes: Mapping[int, Node]) -> list[str]:
    """Return a sentence for each node that lacks free memory for what would arrive."""
    return [
        f"node {node} has {format_bytes(nodes[node].memory_free)} free, and "
        f"{format_bytes(nbytes)} would come to it"
        for node, nbytes in arriving.items()
        if node in nodes and nodes[node].memory_free < nbytes
    ]
