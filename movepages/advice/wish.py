"""Wish: where a memory should be, and why it may stay as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..layouts.by_member import together
from ..layouts.interleave import interleave
from ..system.topology import Topology
from .finding import Verdict
from .subjects import Subject
from .use import Use

# Memory counts as near, or spread evenly, from these shares on.
NEAR, UNEVEN = 0.9, 1.5


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
    home : int or None
        The node with the CPUs that will use all of it.
    """

    verdict: Verdict
    near: float
    reason: str
    layout: str = ""
    target: Any = None
    by_parts: bool = True
    home: int | None = None


def memory_of_nodes(machine: Topology, use: Use) -> list[int]:
    """Return the nodes with memory nearest to those whose CPUs use it."""
    return sorted({machine.nearest_memory(node) for node in use.nodes})


def is_even(held: Mapping[int, int], nodes: list[int]) -> bool:
    """Tell whether memory is spread over so many nodes."""
    return max(held.values()) * len(nodes) <= UNEVEN * sum(held.values())


def interleaved(subject: Subject, near: float, nodes: list[int], why: str) -> Wish:
    """Return the wish for pages on some nodes in turn."""
    if len(nodes) == 1:
        return Wish("move", near, why, f"{nodes[0]}", nodes[0])
    text = f"interleave:{','.join(map(str, nodes))}"
    # Each small memory by itself would begin on the first node.
    target = together(interleave(nodes)) if subject.is_several else interleave(nodes)
    return Wish("move", near, why, text, target, by_parts=False)
