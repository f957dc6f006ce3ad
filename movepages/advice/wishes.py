"""Wishes: which layout suits the threads that use a memory, and why it may stay as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..layouts.blocks import blocks, by_axis
from ..layouts.interleave import interleave
from ..migration.plan import plan
from ..system.topology import Topology
from ..units import format_ids
from .finding import Verdict
from .subjects import Subject
from .use import Kind, Use, near_share, nodes_near

Access = Literal["parts", "all"]

# Memory counts as near, or spread evenly, from these shares on.
NEAR = 0.9
_UNEVEN = 1.5
# Runs of pages below this share of the memory are edges, where a huge page was not cut.
_EDGE = 1 / 64


@dataclass(frozen=True)
class Wish:
    """Where a memory should be.

    Attributes
    ----------
    verdict : str
    near : float
        Share that is near now.
    reason : str
    layout, target
        As in `Finding`.
    by_parts : bool
        Whether each page is used by the node that the target gives it to.
    """

    verdict: Verdict
    near: float
    reason: str
    layout: str = ""
    target: Any = None
    by_parts: bool = True


def wish_for(machine: Topology, subject: Subject, use: Use, access: Access) -> Wish:
    """Return where a memory should be that some threads use."""
    held = subject.placement.bytes_per_node
    if use.kind is Kind.ONE_NODE:
        return _on_one_node(machine, held, use.nodes[0])
    if use.kind is Kind.FREE_ALONE:
        return _for_one_free_thread(machine, held, use)
    if use.kind is Kind.FREE:
        return _for_free_threads(machine, held, use)
    return _for_all(machine, subject, use) if access == "all" else _for_parts(machine, subject, use)


def average_near(machine: Topology, held: Mapping[int, int], use: Use) -> float:
    """Return the share that is near if every thread uses all of it alike."""
    return sum(share * near_share(machine, held, node) for node, share in use.shares.items())


def _on_one_node(machine: Topology, held: Mapping[int, int], node: int) -> Wish:
    near = near_share(machine, held, node)
    if near >= NEAR:
        return Wish("leave", near, f"{near:.0%} of it near the threads that use it")
    to = machine.nearest_memory(node)
    return Wish("move", near, f"all threads that use it run on node {node}", f"{to}", to)


def _for_one_free_thread(machine: Topology, held: Mapping[int, int], use: Use) -> Wish:
    (now,) = use.nodes
    near = near_share(machine, held, now)
    if near >= NEAR:
        return Wish("leave", near, f"{near:.0%} of it near the thread that uses it")
    best = max(machine.cpu_nodes, key=lambda node: near_share(machine, held, node))
    if near_share(machine, held, best) < NEAR:
        why = "spread over several nodes, and the thread may run on any of them"
        return Wish("leave", near, why)
    why = (
        f"the thread ran on node {now} last and may run anywhere: bind it to node {best}, where "
        "the memory is"
    )
    return Wish("bind", near, why, f"CPUs of node {best}", best)


def _for_free_threads(machine: Topology, held: Mapping[int, int], use: Use) -> Wish:
    near, nodes = average_near(machine, held, use), _memory_of(machine, use)
    if _is_even(held, nodes):
        why = "spread evenly over the nodes on which the threads may run"
        return Wish("leave", near, why, by_parts=False)
    fits = [
        node
        for node in use.nodes
        if near_share(machine, held, node) >= NEAR
        and len(use.threads) <= len(machine.cpus_near(node))
    ]
    if fits:
        why = (
            f"the {len(use.threads):,} threads fit on node {fits[0]}, where the memory is, and "
            "may run anywhere: bind them there"
        )
        return Wish("bind", near, why, f"CPUs of node {fits[0]}", fits[0])
    why = "the threads may run anywhere, and the memory of one node serves most of their accesses"
    return _interleaved(near, nodes, why)


def _for_all(machine: Topology, subject: Subject, use: Use) -> Wish:
    held = subject.placement.bytes_per_node
    near, nodes = average_near(machine, held, use), _memory_of(machine, use)
    if len(nodes) == 1 and near >= NEAR:
        return Wish("leave", near, f"{near:.0%} of it near the threads that use it")
    if _can_be_copied(machine, subject, nodes):
        return _copied(near, nodes)
    if _is_even(held, nodes):
        why = "spread evenly over the nodes of the threads, which all use all of it"
        return Wish("leave", near, why, by_parts=False)
    return _interleaved(near, nodes, "threads on several nodes all use all of it")


def _for_parts(machine: Topology, subject: Subject, use: Use) -> Wish:
    order = [machine.nearest_memory(node) for node in use.order]
    nodes = sorted({*order})
    if len(nodes) == 1:
        return _on_one_node(machine, subject.placement.bytes_per_node, use.order[0])
    layout, target = _divided(subject, order)
    found = plan(subject.array, target)
    near = found.in_place / max(found.in_place + found.to_move, 1)
    if near >= NEAR:
        return Wish("leave", near, f"{near:.0%} of it in blocks in the order of the nodes")
    if _is_divided(subject, order):
        return Wish("leave", near, "divided into long parts that match the threads' shares")
    if _can_be_copied(machine, subject, nodes):
        return _copied(near, nodes)
    why = (
        f"threads on nodes {format_ids(use.nodes)} use it: if each works on a part of its own, in "
        'the order of the nodes, that part comes near it (if all use all of it: access="all")'
    )
    return Wish("move", near, why, layout, target)


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
    return all(
        1 / _UNEVEN <= held.get(node, 0) * len(order) / (total * order.count(node)) <= _UNEVEN
        for node in {*order}
    )


def _memory_of(machine: Topology, use: Use) -> list[int]:
    return sorted({machine.nearest_memory(node) for node in use.nodes})


def _is_even(held: Mapping[int, int], nodes: list[int]) -> bool:
    return max(held.values()) * len(nodes) <= _UNEVEN * sum(held.values())


def _interleaved(near: float, nodes: list[int], why: str) -> Wish:
    if len(nodes) == 1:
        return Wish("move", near, why, f"{nodes[0]}", nodes[0])
    text = f"interleave:{','.join(map(str, nodes))}"
    return Wish("move", near, why, text, interleave(nodes), by_parts=False)


def _copied(near: float, nodes: list[int]) -> Wish:
    why = "nothing can write to it, and threads on several nodes use it: each can read a copy"
    return Wish("replicate", near, why, f"replicate:{','.join(map(str, nodes))}", nodes)


def _can_be_copied(machine: Topology, subject: Subject, nodes: list[int]) -> bool:
    """Tell whether it is read-only memory of this process, and each node has room for a copy."""
    room = all(machine.nodes[node].memory_free > subject.placement.nbytes for node in nodes)
    return subject.read_only and not subject.pid and len(nodes) > 1 and room


def nodes_using(machine: Topology, use: Use, memory: int) -> int:
    """Return the node whose CPUs use the parts that lie on a node with memory."""
    mine = [node for node in use.nodes if machine.nearest_memory(node) == memory]
    near = [node for node in use.nodes if memory in nodes_near(machine, node)]
    return (mine or near or use.nodes)[0]
