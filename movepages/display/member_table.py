"""Tables of the members of an object, as text and as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from ..units import format_bytes
from .html import node_chip, table_html
from .text_table import aligned, shortened
from .views import PlacementView, off_node

_TOTAL = "total (shared pages once)"


def members_text(total: PlacementView, members: Mapping[str, PlacementView], count: int) -> str:
    """Return a table with a row for each member, for the rest of `count`, and for the total."""
    heads = ["member", "bytes", *(f"node {node}" for node in total.bytes_per_node)]
    rows = [[shortened(name), *_cells(total, each)] for name, each in members.items()]
    rows.append([_TOTAL, *_cells(total, total)])
    table = [heads + _off_nodes(total), *rows]
    lines = aligned(table)
    if left_out := count - len(members):
        lines.insert(-1, f"and {left_out:,} smaller ones")
    return "\n".join(lines)


def members_html(total: PlacementView, members: Mapping[str, PlacementView], count: int) -> str:
    """Return the same table as HTML."""
    heads = ["member", "bytes", *map(node_chip, total.bytes_per_node), *_off_nodes(total)]
    rows = [[escape(name), *_cells(total, each)] for name, each in members.items()]
    if left_out := count - len(members):
        rows.append([f"and {left_out:,} smaller ones", *[""] * (len(heads) - 1)])
    rows.append([f"<b>{_TOTAL}</b>", *_cells(total, total)])
    return table_html(heads, "l" + "r" * (len(heads) - 1), rows)


def _off_nodes(total: PlacementView) -> list[str]:
    """Return the heads of the columns for bytes on no known node that the table needs."""
    return [head for head, _ in off_node(total)]


def _cells(total: PlacementView, each: PlacementView) -> list[str]:
    found = [each.nbytes, *(each.bytes_per_node.get(node, 0) for node in total.bytes_per_node)]
    if total.absent_bytes:
        found.append(each.absent_bytes)
    if total.hidden_bytes:
        found.append(each.hidden_bytes)
    return [format_bytes(nbytes) if nbytes else "-" for nbytes in found]
