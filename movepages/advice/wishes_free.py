"""Wishes of threads that may run on several nodes."""

from __future__ import annotations

from collections.abc import Mapping

from ..processes.locality import homes
from ..system.cores import count_cores
from ..system.topology import Topology
from .nearness import near_share
from .subjects import Subject
from .use import Kind, Use, average_near
from .wish import NEAR, Wish, interleaved, is_even, memory_of_nodes

# One thread gathers its memory where at least this share is.
_MOST = 0.5


def wish_of_free_threads(
    machine: Topology, subject: Subject, use: Use, total: Mapping[int, int]
) -> Wish:
    """Return where a memory should be; `total` is what all memories have together on each node."""
    held = subject.placement.bytes_per_node
    home = _home(machine, use, total)
    if home is not None:
        return _gathered(machine, held, use, home)
    near, nodes = average_near(machine, held, use), memory_of_nodes(machine, use)
    if near >= NEAR:
        return Wish("leave", near, f"{near:.0%} of it near the threads that use it")
    if use.kind is Kind.FREE_ALONE:
        return _of_one_thread(machine, held, use, near)
    if any(_is_spread_over(held, some) for some in _confined(machine, use)):
        why = "spread evenly over the nodes on which some of the threads may run"
        return Wish("leave", near, why, by_parts=False)
    if is_even(held, nodes):
        why = "spread evenly over the nodes on which the threads may run"
        return Wish("leave", near, why, by_parts=False)
    why = "the threads may run on several nodes, and the memory of one node serves most accesses"
    return interleaved(subject, near, nodes, why)


def _of_one_thread(machine: Topology, held: Mapping[int, int], use: Use, near: float) -> Wish:
    """Return the wish of a thread near which no node has most of the memory."""
    (now,), reach = use.nodes, set[int]().union(*_nodes_of_each(machine, use))
    if sum(near_share(machine, held, node) for node in reach) >= _MOST:
        why = "memory is spread over several nodes, and the thread may run on any of them"
        return Wish("leave", near, why)
    to = machine.nearest_memory(now)
    why = f"most of it is near no CPU that the thread may run on, and it ran on node {now} last"
    return Wish("move", near, why, f"{to}", to, home=now)


def _confined(machine: Topology, use: Use) -> list[set[int]]:
    """Return the sets of nodes of the threads if none may run on the nodes of all of them."""
    found = _nodes_of_each(machine, use)
    return [] if {*use.nodes} in found else found


def _is_spread_over(held: Mapping[int, int], nodes: set[int]) -> bool:
    inside = sum(n for node, n in held.items() if node in nodes)
    return inside >= NEAR * sum(held.values()) and is_even(held, [*nodes])


def _nodes_of_each(machine: Topology, use: Use) -> list[set[int]]:
    """Return the nodes on which each thread may run; threads with the same CPUs count once."""
    node_of = homes(machine)
    distinct = {each.cpus for each in use.threads}
    return [{node_of[cpu] for cpu in cpus if cpu in node_of} for cpus in distinct]


def _home(machine: Topology, use: Use, total: Mapping[int, int]) -> int | None:
    """Return the one node where the threads fit and most of their memory is, if there is one."""
    cpus = set[int]().union(*{each.cpus for each in use.threads})
    common = set.intersection(*_nodes_of_each(machine, use))
    now = use.nodes[0] if use.kind is Kind.FREE_ALONE else None
    share, _, home = max(
        ((near_share(machine, total, node), node == now, node) for node in common),
        default=(0.0, False, -1),
    )
    least = _MOST if use.kind is Kind.FREE_ALONE else NEAR
    if share < least:
        return None
    # A cpuset may keep the threads from the other CPUs of the node.
    fits = len(use.threads) <= count_cores(cpus.intersection(machine.cpus_near(home)))
    return home if fits else None


def _gathered(machine: Topology, held: Mapping[int, int], use: Use, home: int) -> Wish:
    """Return the wish for memory of threads that should all run on one node."""
    alone = use.kind is Kind.FREE_ALONE
    there = alone and use.nodes == [home]
    who = "the thread" if alone else f"the {len(use.threads):,} threads"
    if near_share(machine, held, home) >= NEAR:
        near = average_near(machine, held, use)
        if there:
            return Wish("leave", near, f"{near:.0%} of it near the thread that uses it")
        ran = f"ran on node {use.nodes[0]} last and may" if alone else "fit on one node and may"
        why = f"{who} {ran} run anywhere: best on node {home}, where the memory is"
        return Wish("bind", near, why, f"CPUs of node {home}", home)
    if max(near_share(machine, held, node) for node in machine.memory_nodes) < NEAR:
        return Wish("leave", near_share(machine, held, home), "spread over several nodes")
    why = f"most of the memory is on node {home}, where {who} " + ("ran last" if there else "fit")
    to = machine.nearest_memory(home)
    return Wish("move", near_share(machine, held, home), why, f"{to}", to, home=home)
