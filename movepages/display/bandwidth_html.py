"""Measured bandwidths as HTML without scripts."""

from __future__ import annotations

from html import escape

from .bandwidth_table import UNITS, BandwidthView, describe_machine, figure, remarks
from .html import node_chip, table_html


def bandwidth_html(found: BandwidthView) -> str:
    """Return a table for each figure, with nodes with CPUs as rows, and the notes."""
    heads = [node_chip(node) for node in found.memory_nodes]
    parts = [f"<p>{escape(describe_machine(found))}</p>"]
    for what, unit in UNITS.items():
        rows = [
            [f"CPUs\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}{node_chip(node)}", *map(figure, row)]
            for node, row in zip(found.cpu_nodes, getattr(found, what), strict=True)
        ]
        title = f"{what}, {unit}, by node of the memory"
        parts.append(table_html([title, *heads], "l" + "r" * len(heads), rows))
    rows = [[f"memory {name}", *map(figure, rates)] for name, rates in found.together.items()]
    parts.append(table_html(["all CPUs at once, GB/s", "read", "write", "copy"], "lrrr", rows))
    return "".join(parts) + "".join(f"<p>{escape(note)}</p>" for note in remarks(found))
