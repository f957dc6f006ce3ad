"""Measured bandwidths as tables for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

_WIDTH = 80
_COLUMN = 9
UNITS = {"read": "GB/s", "write": "GB/s", "copy": "GB/s", "latency": "ns"}


class BandwidthView(Protocol):
    """The attributes of a `Bandwidth` that are shown."""

    @property
    def cpu_nodes(self) -> Sequence[int]: ...
    @property
    def memory_nodes(self) -> Sequence[int]: ...
    @property
    def together(self) -> Mapping[str, Any]: ...
    @property
    def machine(self) -> Any: ...
    @property
    def measured_at(self) -> datetime: ...
    @property
    def notes(self) -> Sequence[str]: ...


def table(found: BandwidthView) -> str:
    """Return all figures as text."""
    lines = textwrap.wrap(describe_machine(found), _WIDTH)
    for what, unit in UNITS.items():
        lines += ["", *_matrix(found, f"{what}, {unit}", getattr(found, what))]
    names = {name: f"memory {name}" for name in found.together}
    first = max(map(len, ["all CPUs at once, GB/s", *names.values()]))
    titles = "".join(f"{what:>{_COLUMN}}" for what in ("read", "write", "copy"))
    lines += ["", f"{'all CPUs at once, GB/s':{first}}{titles}"]
    for name, rates in found.together.items():
        lines.append(f"{names[name]:{first}}" + "".join(f"{figure(x):>{_COLUMN}}" for x in rates))
    for note in remarks(found):
        lines += ["", *textwrap.wrap(note, _WIDTH)]
    return "\n".join(lines)


def describe_machine(found: BandwidthView) -> str:
    """Return which machine was measured, and when."""
    machine = found.machine
    when = found.measured_at.strftime("%Y-%m-%d %H:%M %Z").strip()
    return f"{machine.cpu}, CPUs {machine.cpus}, Linux {machine.kernel}, measured {when}"


def remarks(found: BandwidthView) -> list[str]:
    """Return the notes, after a sentence about machines with one pair of nodes."""
    notes = list(found.notes)
    if len(found.cpu_nodes) == len(found.memory_nodes) == 1:
        notes.insert(0, "There is one node to measure: there is nothing to compare.")
    return notes


def figure(value: float) -> str:
    """Return a figure with three digits.

    Examples
    --------
    >>> figure(0.5), figure(12.345), figure(1234.5)
    ('0.50', '12.3', '1,234')
    """
    return f"{value:,.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f}"


def _matrix(found: BandwidthView, title: str, figures: Any) -> list[str]:
    """Return one array, in blocks of as many columns as fit."""
    names = [f"CPUs of node {node}" for node in found.cpu_nodes]
    first = max(map(len, [title, *names]))
    fitting = (_WIDTH - first) // _COLUMN
    lines = []
    for start in range(0, len(found.memory_nodes), fitting):
        some = slice(start, start + fitting)
        heads = (f"node {node}" for node in found.memory_nodes[some])
        lines.append(f"{title:{first}}" + "".join(f"{head:>{_COLUMN}}" for head in heads))
        for name, row in zip(names, figures, strict=True):
            cells = "".join(f"{figure(value):>{_COLUMN}}" for value in row[some])
            lines.append(f"{name:{first}}{cells}")
    return lines
