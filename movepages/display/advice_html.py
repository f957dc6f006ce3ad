"""Advice as HTML without scripts."""

from __future__ import annotations

from html import escape

from .advice_text import sentences, table_of
from .advice_view import AdviceView
from .html import node_chip, table_html


def advice_html(advice: AdviceView) -> str:
    """Return who uses the memory, a table, the reasons, commands and notes."""
    heads, rows = table_of(advice)
    chips = [
        node_chip(int(head.removeprefix("node "))) if head.startswith("node ") else head
        for head in heads
    ]
    table = table_html(chips, "l" + "r" * (len(heads) - 2) + "l", [[*map(escape, r)] for r in rows])
    told = "".join(f"<p>{escape(each)}</p>" for each in sentences(advice))
    if advice.observed is not None:
        told += f"<p>seen during the run:</p><pre>{escape(str(advice.observed))}</pre>"
    return f"<p>used by {escape(advice.described_use)}</p>{table if rows else ''}{told}"
