"""The topology as a table for a terminal of 80 columns."""

from __future__ import annotations

import re
import textwrap
from itertools import zip_longest
from typing import TYPE_CHECKING

from ._sysfs import format_ids
from .units import format_bytes

if TYPE_CHECKING:
    from .machine import Node, Topology

_WIDTH = 80


def describe_node(node: Node) -> str:
    """Return what is special about a node."""
    notes = []
    if not node.has_memory:
        notes.append("no memory")
    elif not node.allowed:
        notes.append("not allowed by the cpuset")
    if not node.has_cpus:
        notes.append("memory only" if node.has_memory else "no CPUs")
    return ", ".join(notes)


def table(machine: Topology) -> str:
    """Return the nodes and their distances as text of at most 80 columns."""
    count = len(machine.nodes)
    sizes = ", ".join(map(format_bytes, machine.huge_page_sizes)) or "none"
    ids = format_ids(machine.nodes).replace(",", ", ")
    head = f"{count} NUMA node{'s' if count > 1 else ''} ({ids}), "
    head += f"pages of {format_bytes(machine.page_size)}, huge pages: {sizes}"
    lines = textwrap.wrap(head, _WIDTH)
    if not machine.numa:
        lines.append("This kernel has no NUMA support: node 0 stands for the whole machine.")
    lines += ["", *_node_lines(list(machine.nodes.values()))]
    if count > 1:
        lines += ["", *_distance_lines(machine)]
    return "\n".join(lines)


def _node_lines(nodes: list[Node]) -> list[str]:
    """Return the nodes' rows; CPU lists, pools and notes go on over several lines."""
    rows = []
    for node in nodes:
        memory, free = [format_bytes(node.memory_total)], [format_bytes(node.memory_free)]
        pools = [
            f"{pool.free} of {pool.total} x {format_bytes(size)}"
            for size, pool in node.huge_pages.items()
            if pool.total
        ]
        notes = textwrap.wrap(describe_node(node), 13)
        rows.append([[str(node.id)], [format_ids(node.cpus)], memory, free, pools, notes])
    titles = ["node", "CPUs", "memory", "free", "huge pages free", "notes"]
    kept = [k for k in range(len(titles)) if any(row[k] for row in rows)]
    rows = [[row[k] for k in kept] for row in [[[title] for title in titles], *rows]]
    widths = [max(len(part) for row in rows for part in row[k] or [""]) for k in range(len(kept))]
    room = _WIDTH - sum(widths) - 2 * (len(widths) - 1)
    widths[1] += min(room, 0)
    lines = []
    for row in rows:
        row[1] = _wrap_ids(row[1][0], widths[1])
        for parts in zip_longest(*row, fillvalue=""):
            aligned = [
                part.rjust(width) if k in (0, 2, 3) else part.ljust(width)
                for k, (part, width) in enumerate(zip(parts, widths, strict=True))
            ]
            lines.append("  ".join(aligned).rstrip())
    return lines


def _wrap_ids(text: str, width: int) -> list[str]:
    """Break a list of ids after commas, where textwrap does not break."""
    lines = [""]
    for part in re.findall("[^,]+,?", text or "-"):
        if len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return lines


def _distance_lines(machine: Topology) -> list[str]:
    """Return the distance matrix, in blocks of as many columns as fit."""
    ids = list(machine.nodes)
    width = max(4, *(len(str(i)) + 1 for i in ids))
    per_block = (_WIDTH - len("distance")) // width
    lines = []
    for start in range(0, len(ids), per_block):
        columns = ids[start : start + per_block]
        lines.append("distance" + "".join(f"{i:{width}}" for i in columns))
        for a in ids:
            row = "".join(f"{machine.distance(a, b):{width}}" for b in columns)
            lines.append(f"{a:8}{row}")
    return lines
