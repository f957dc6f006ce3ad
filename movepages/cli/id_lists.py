"""Parse lists of nodes and CPUs as numactl(8) does: ``0,2-3``, ``all``, ``+0-1``, ``!1``."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterable, Sequence

import movepages as mp

from ..system.target_nodes import why_no_memory
from ..units import format_ids, parse_ids
from .arguments import parse_count

HELP = """\
NODES and CPUS are lists such as 0,2-3; "all" stands for all that this process
may use, +0,1 for the first and second of them, !0 for all but 0, !+0 for all
but the first.
"""


def memory_nodes(text: str) -> tuple[int, ...]:
    """Convert a list of nodes that have memory, as an argparse type."""
    machine = mp.topology()
    found = _ids(text, machine.allowed_nodes, "node")
    for node in found:
        if node not in machine.memory_nodes:
            raise argparse.ArgumentTypeError(f"{text!r}: {_why_not(node, machine)}")
    return found


def refuse_unknown_nodes(nodes: Iterable[int]) -> None:
    """Raise ValueError if a node does not exist; whether it has memory is another question."""
    with contextlib.suppress(mp.TopologyError):
        machine = mp.topology()
        known = {*machine.nodes, *machine.offline_nodes}
        for node in nodes:
            if node not in known:
                raise ValueError(_why_not(node, machine))


def _why_not(node: int, machine: mp.Topology) -> str:
    return f"{why_no_memory(node, machine)}; expected one of {format_ids(machine.allowed_nodes)}"


def known_node(text: str) -> int:
    """Convert the number of a node that exists, as an argparse type."""
    node = parse_count(text)
    try:
        refuse_unknown_nodes([node])
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return node


def one_node(text: str) -> tuple[int, ...]:
    """Convert one node that has memory, as an argparse type."""
    found = memory_nodes(text)
    if len(found) > 1:
        raise argparse.ArgumentTypeError(f"expected one node, got {text!r}")
    return found


def device(text: str) -> mp.Near:
    """Convert the name of a device, as an argparse type."""
    try:
        return mp.near(text)
    except (ValueError, mp.TopologyError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def cpus_of_nodes(text: str) -> tuple[int, ...]:
    """Convert a list of nodes to their CPUs, as an argparse type."""
    machine = mp.topology()
    found = _ids(text, machine.cpu_nodes, "node")
    for node in found:
        if node not in machine.cpu_nodes:
            why = "has no CPU" if node in machine.nodes else "is not an online node of this machine"
            raise argparse.ArgumentTypeError(
                f"{text!r}: node {node} {why}; expected one of {format_ids(machine.cpu_nodes)}"
            )
    return tuple(cpu for node in found for cpu in machine.nodes[node].cpus)


def cpus(text: str) -> tuple[int, ...]:
    """Convert a list of CPUs, as an argparse type."""
    return _ids(text, sorted(os.sched_getaffinity(0)), "CPU")


def _ids(text: str, usable: Sequence[int], what: str) -> tuple[int, ...]:
    """Return the ids that a list means.

    Examples
    --------
    >>> _ids("!+0", [2, 3, 5], "node"), _ids("all", [2, 3], "node"), _ids("7", [2, 3], "node")
    ((3, 5), (2, 3), (7,))
    """
    rest = text.removeprefix("!")
    relative = rest.startswith("+")
    try:
        named: Sequence[int] = usable if rest == "all" else parse_ids(rest.removeprefix("+"))
        if relative:
            named = [usable[index] for index in named]
    except (ValueError, IndexError) as error:
        why = f"there are only {len(usable)} to count" if isinstance(error, IndexError) else error
        raise argparse.ArgumentTypeError(f"{text!r}: {why}") from None
    found = tuple(each for each in usable if each not in named) if text != rest else tuple(named)
    if not found:
        raise argparse.ArgumentTypeError(f"expected at least one {what}, got {text!r}")
    return found
