"""Wishes: which layout suits the threads that use a memory, and why it may stay as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from ..layouts.blocks import blocks, by_axis
from ..migration.forecast import Plan
from ..migration.plan import plan
from ..pages.buffers import Region
from ..system.topology import Topology
from ..units import format_ids
from .nearness import near_share, nodes_near
from .subjects import Subject
from .totals import Totals
from .use import Kind, Use, average_near
from .wish import NEAR, UNEVEN, Wish, interleaved, is_even, memory_of_nodes
from .wishes_free import wish_of_free_threads

Access = Literal["parts", "all"]

# Runs of pages below this share of the memory are edges, where a huge page was not cut.
_EDGE = 1 / 64


def wish_for(machine: Topology, subject: Subject, use: Use, access: Access, totals: Totals) -> Wish:
    """Return where a memory should be that some threads use; `totals` are of all memories."""
    held = subject.placement.bytes_per_node
    if use.kind is Kind.ONE_NODE:
        return _on_one_node(machine, held, use.nodes[0])
    if use.kind is Kind.FREE_ALONE or use.kind is Kind.FREE:
        return wish_of_free_threads(machine, subject, use, totals.held)
    # Nobody can tell which thread uses which of many small memories.
    if access == "all" or subject.is_several:
        return _for_all(machine, subject, use)
    return _for_parts(machine, subject, use, totals)


def _on_one_node(machine: Topology, held: Mapping[int, int], node: int) -> Wish:
    near = near_share(machine, held, node)
    if near >= NEAR:
        return Wish("leave", near, f"{near:.0%} of it near the threads that use it")
    to = machine.nearest_memory(node)
    least = machine.distance(node, to)
    nearest = sum(n for each, n in held.items() if machine.distance(node, each) <= least)
    if nearest >= NEAR * sum(held.values()):
        why = f"no node is nearer to node {node} of those that its cpuset allows"
        return Wish("leave", near, why)
    why = f"all threads that use it run on node {node}"
    return Wish("move", near, why, f"{to}", to, home=node)


def _for_all(machine: Topology, subject: Subject, use: Use) -> Wish:
    held = subject.placement.bytes_per_node
    near, nodes = average_near(machine, held, use), memory_of_nodes(machine, use)
    if len(nodes) == 1 and near >= NEAR:
        return Wish("leave", near, f"{near:.0%} of it near the threads that use it")
    if _can_be_copied(machine, subject, nodes):
        return _copied(near, nodes)
    if is_even(held, nodes):
        why = "spread evenly over the nodes of the threads that use it"
        return Wish("leave", near, why, by_parts=False)
    why = "threads on several nodes use all of it"
    if subject.is_several:
        why = "nothing shows which of the threads, on several nodes, uses which of these"
    return interleaved(subject, near, nodes, why)


def _for_parts(machine: Topology, subject: Subject, use: Use, totals: Totals) -> Wish:
    order = [machine.nearest_memory(node) for node in use.order]
    nodes = sorted({*order})
    if len(nodes) == 1:
        return _on_one_node(machine, subject.placement.bytes_per_node, use.order[0])
    layout, target = _divided(subject, order)
    found = plan(subject.array, target)
    near = _near_parts(machine, use, found)
    if near >= NEAR:
        return Wish("leave", near, f"{near:.0%} of it in blocks in the order of the nodes")
    if _is_divided(subject, order):
        return Wish("leave", near, "divided into long parts that match the threads' shares")
    if _is_own(subject, order, totals):
        why = "on one node, as others are on the other nodes: taken to be each thread's own"
        return Wish("leave", near, why)
    if _can_be_copied(machine, subject, nodes):
        return _copied(near, nodes)
    why = (
        f"threads on nodes {format_ids(use.nodes)} use it, and each is taken to work on a part of "
        'its own, in the order of the nodes (access="all" if each uses all of it)'
    )
    return Wish("move", near, why, layout, target)


def _near_parts(machine: Topology, use: Use, planned: Plan) -> float:
    """Return the share that is near the threads whose parts go to each node."""
    near = sum(
        nbytes
        for (source, to), nbytes in planned.flows.items()
        if source == to or source in nodes_near(machine, nodes_using(machine, use, to))
    )
    return near / max(planned.in_place + planned.to_move, 1)


def _divided(subject: Subject, order: list[int]) -> tuple[str, Any]:
    text = f"blocks:{','.join(map(str, order))}"
    if subject.divides_by_rows and subject.rows >= len(order):
        return f"by_axis(0, {order})", by_axis(0, order)
    return text, blocks(order)


def _is_divided(subject: Subject, order: list[int]) -> bool:
    """Tell whether a memory is in long contiguous parts whose shares match those of the threads."""
    runs, held = subject.placement.runs, subject.placement.bytes_per_node
    total = sum(held.values())
    long = (runs["status"] >= 0) & (runs["nbytes"] >= _EDGE * total)
    # Runs of one node count once if only absent pages or edges are between them.
    parts = 1 + int(np.count_nonzero(np.diff(runs["status"][long])))
    if parts > len({*order}) or runs["nbytes"][long].sum() < NEAR * total:
        return False
    return _match(held, order)


def _is_own(subject: Subject, order: list[int], totals: Totals) -> bool:
    """Tell whether memories of about its size, each on one node, are shared out as the threads."""
    held = subject.placement.bytes_per_node
    whole = max(held.values()) >= NEAR * sum(held.values())
    return whole and _match(totals.like(held), order)


def _match(held: Mapping[int, int], order: list[int]) -> bool:
    """Tell whether the shares of nodes are like those of the threads."""
    total = sum(held.values())
    return all(
        1 / UNEVEN <= held.get(node, 0) * len(order) / (total * order.count(node)) <= UNEVEN
        for node in {*order}
    )


def _copied(near: float, nodes: list[int]) -> Wish:
    why = (
        "the array is read-only (copies do not see what others write to its memory), and threads "
        "on several nodes use it: replicate(...).here is the copy near a thread"
    )
    return Wish("replicate", near, why, f"replicate:{','.join(map(str, nodes))}", nodes)


def _can_be_copied(machine: Topology, subject: Subject, nodes: list[int]) -> bool:
    """Tell whether it is a read-only array, and each node has room for a copy."""
    if isinstance(subject.array, Region):
        return False
    room = all(machine.nodes[node].memory_free > subject.placement.nbytes for node in nodes)
    return subject.read_only and len(nodes) > 1 and room


def nodes_using(machine: Topology, use: Use, memory: int) -> int:
    """Return the node whose CPUs use the parts that lie on a node with memory."""
    mine = [node for node in use.nodes if machine.nearest_memory(node) == memory]
    near = [node for node in use.nodes if memory in nodes_near(machine, node)]
    return (mine or near or use.nodes)[0]
