"""Sentences about all of some advice: what it rests on, and what it does not know."""

from __future__ import annotations

from collections.abc import Sequence

from ..system.topology import Topology
from .finding import Finding
from .use import Use

_PLACEMENT = (
    "The advice rests on placement, not on access: it does not see which of these threads use "
    "which memory, or what stays in caches."
)
_SEEN = (
    "The next run may have its threads elsewhere, unless they are bound: movepages run --node, or "
    "os.sched_setaffinity."
)
_NOT_MEASURED = (
    "The gain of a move is not known here: call measure_bandwidth() or run 'movepages bench "
    "--matrix' once on this machine."
)


def why_nothing(machine: Topology, use: Use | None) -> str:
    """Return why no memory can be near or far, in words; empty if it can."""
    if use is None:
        return "the CPUs of the threads belong to no known node"
    if len(machine.allowed_nodes) < 2:
        return "one node with memory that may be used: there is nothing to compare"
    return ""


def notes_for(
    findings: Sequence[Finding], use: Use | None, nothing: str, *, measured: bool, seen: bool
) -> list[str]:
    """Return what to know about all findings."""
    if nothing:
        return [f"{nothing.capitalize()}."]
    changes = any(each.verdict != "leave" for each in findings)
    notes = [_PLACEMENT]
    if changes and seen and use is not None:
        notes.append(_SEEN)
    if changes and not measured:
        notes.append(_NOT_MEASURED)
    return notes
