"""The topology as a table for a terminal of 80 columns."""

from __future__ import annotations

import re
import textwrap
from itertools import pairwise, zip_longest

from ..units import format_bytes, format_ids
from .device_table import device_lines, speed_lines
from .views import NodeView, TopologyView

_WIDTH = 80
# Least width of a wrapped CPU list; width of notes in a wide table and in a narrow one.
_LEAST_CPUS, _NOTES, _LEAST_NOTES = 8, 13, 9


def describe_node(node: NodeView) -> str:
    """Return what is special about a node, such as "memory only"."""
    notes = []
    if not node.has_memory:
        notes.append("no memory")
    elif not node.allowed:
        notes.append("not allowed by the cpuset")
    if not node.has_cpus:
        notes.append("memory only" if node.has_memory else "no CPUs")
    return ", ".join(notes)


def table(machine: TopologyView, width: int = _WIDTH) -> str:
    """Return the nodes and their distances as text that fits `width` columns, if 60 or more."""
    count = len(machine.nodes)
    sizes = ", ".join(map(format_bytes, machine.huge_page_sizes)) or "none"
    ids = format_ids(machine.nodes).replace(",", ", ")
    head = f"{count} NUMA node{'s' if count > 1 else ''} ({ids}), "
    head += f"pages of {format_bytes(machine.page_size)}, huge pages: {sizes}"
    # Keep a number and its unit on one line.
    head = re.sub(r"(\d) (\w+iB)", "\\1\N{NO-BREAK SPACE}\\2", head)
    lines = [line.replace("\N{NO-BREAK SPACE}", " ") for line in textwrap.wrap(head, width)]
    if not machine.numa:
        sentence = "This kernel has no NUMA support: node 0 stands for the whole machine."
        lines += textwrap.wrap(sentence, width)
    lines += ["", *_node_lines(list(machine.nodes.values()), width)]
    if count > 1:
        lines += ["", *_distance_lines(machine, width)]
    for more in (speed_lines(machine), device_lines(machine, width)):
        lines += ["", *more] if more else []
    return "\n".join(lines)


def _node_lines(nodes: list[NodeView], width: int) -> list[str]:
    """Return the nodes' rows; long CPU lists, pools and notes take several lines."""
    rows, widths = _columns(nodes, narrow=False)
    room = width - sum(widths) - 2 * (len(widths) - 1)
    if widths[1] + min(room, 0) < min(_LEAST_CPUS, widths[1]):
        rows, widths = _columns(nodes, narrow=True)
        room = width - sum(widths) - 2 * (len(widths) - 1)
    widths[1] = max(widths[1] + min(room, 0), min(_LEAST_CPUS, widths[1]))
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


def _columns(nodes: list[NodeView], *, narrow: bool) -> tuple[list[list[list[str]]], list[int]]:
    """Return each cell's lines, titles first, and the column widths, without empty columns."""
    rows, gap = [], "\n" if narrow else " "
    for node in nodes:
        memory, free = [format_bytes(node.memory_total)], [format_bytes(node.memory_free)]
        pools = [
            f"{pool.free} of {pool.total}{gap}x {format_bytes(size)}"
            for size, pool in node.huge_pages.items()
            if pool.total
        ]
        notes = textwrap.wrap(describe_node(node), _LEAST_NOTES if narrow else _NOTES)
        cpus = [_format_cpus(node.cpus)]
        rows.append([[str(node.id)], cpus, memory, free, "\n".join(pools).splitlines(), notes])
    pool_title = ["huge pages", "free"] if narrow else ["huge pages free"]
    titles = [["node"], ["CPUs"], ["memory"], ["free"], pool_title, ["notes"]]
    kept = [k for k in range(len(titles)) if any(row[k] for row in rows)]
    rows = [[row[k] for k in kept] for row in [titles, *rows]]
    widths = [max(len(part) for row in rows for part in row[k] or [""]) for k in range(len(kept))]
    return rows, widths


def _format_cpus(cpus: tuple[int, ...]) -> str:
    """Write CPUs at equal steps as taskset(1) does, such as 0-62:2, which keeps the list short."""
    steps = {b - a for a, b in pairwise(cpus)}
    if len(cpus) > 2 and len(steps) == 1 and steps != {1}:
        return f"{cpus[0]}-{cpus[-1]}:{steps.pop()}"
    return format_ids(cpus)


def _wrap_ids(text: str, width: int) -> list[str]:
    """Break a list of ids after commas, because textwrap does not."""
    lines = [""]
    for part in re.findall("[^,]+,?", text or "-"):
        if len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return lines


def _distance_lines(machine: TopologyView, columns: int) -> list[str]:
    """Return the distance matrix in blocks, each with as many columns as fit."""
    ids = list(machine.nodes)
    width = max(4, *(len(str(i)) + 1 for i in ids))
    per_block = max((columns - len("distance")) // width, 1)
    lines = []
    for start in range(0, len(ids), per_block):
        block = ids[start : start + per_block]
        lines.append("distance" + "".join(f"{i:{width}}" for i in block))
        for a in ids:
            row = "".join(f"{machine.distance(a, b):{width}}" for b in block)
            lines.append(f"{a:8}{row}")
    return lines
