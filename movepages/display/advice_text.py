"""Advice as text of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from ..units import format_bytes, format_seconds
from .advice_groups import alike
from .advice_view import AdviceView, FindingView
from .escaping import printable
from .text_table import aligned, shortened

_WIDTH = 80
# Rows of the table, and most rows for which every reason is told.
_ROWS, _ALL_REASONS = 20, 3


def advice_text(advice: AdviceView) -> str:
    """Return who uses the memory, a table, the reasons, commands and notes."""
    heads, rows = table_of(advice)
    lines = _wrapped(f"used by {advice.described_use}")
    lines += aligned([heads, *rows]) if rows else []
    for each in sentences(advice):
        lines += _wrapped(each)
    if advice.observed is not None:
        lines += ["", "seen during the run:", str(advice.observed)]
    return "\n".join(lines)


def table_of(advice: AdviceView) -> tuple[list[str], list[list[str]]]:
    """Return the heads and the rows of the table."""
    shown = sorted(advice.findings, key=lambda each: each.verdict == "leave")[:_ROWS]
    nodes = sorted({node for each in shown for node in each.bytes_per_node})
    heads = ["memory", "bytes", *(f"node {node}" for node in nodes), "near", "advice"]
    return heads, [_row(each, nodes) for each in shown]


def _row(found: FindingView, nodes: list[int]) -> list[str]:
    held = (found.bytes_per_node.get(node, 0) for node in nodes)
    near = "-" if found.near is None else f"{found.near:.0%}"
    amounts = [format_bytes(n) if n else "-" for n in held]
    name, nbytes = shortened(found.name or "(all)"), format_bytes(found.nbytes)
    return [name, nbytes, *amounts, near, found.layout or found.verdict]


def sentences(advice: AdviceView) -> Iterable[str]:
    """Yield the reasons, commands and notes."""
    found = advice.findings
    if len(found) > _ROWS:
        yield f"and {len(found) - _ROWS:,} more"
    if len(found) > _ALL_REASONS and all(each.verdict == "leave" for each in found):
        yield "There is nothing to do."
    told = [each for each in found if each.verdict != "leave" or len(found) <= _ALL_REASONS]
    for each in alike(told):
        yield f"{printable(each.name) or 'advice'}: {verdict_of(each)}"
    yield from (f"$ {command}" for command in advice.commands)
    reasons = {f"{each.reason.capitalize()}." for each in told}
    yield from (note for note in advice.notes if note not in reasons)


def verdict_of(found: FindingView) -> str:
    """Return what to do with one memory, why, what it costs and what it gains, as one sentence."""
    parts = [found.reason]
    if found.verdict == "leave":
        return f"leave it: {found.reason}."
    parts.insert(0, _what_to_do(found))
    if found.to_move:
        cost = found.cost_seconds
        took = "" if cost is None else f" in about {format_seconds(cost)}"
        what = "copied" if found.verdict == "replicate" else "moved"
        parts.append(f"{format_bytes(found.to_move)} to be {what}{took}")
    if found.near is not None and (found.near_after or 0) > found.near:
        parts.append(f"near: {found.near:.0%} now, {found.near_after:.0%} then")
    if found.pass_seconds is not None and found.pass_seconds_after is not None:
        now, then = format_seconds(found.pass_seconds), format_seconds(found.pass_seconds_after)
        paid = "" if found.passes is None else f", paid after {found.passes:,}"
        parts.append(f"a read of all of it: about {now} now, {then} then{paid}")
    parts += [f"problem: {each}" for each in found.problems]
    return "; ".join(parts) + "."


def _what_to_do(found: FindingView) -> str:
    if found.verdict == "bind":
        return f"bind the threads to the {found.layout}"
    if found.verdict == "replicate":
        return f"use a copy on each node ({found.layout})"
    return f"move it to {'node ' * found.layout.isdecimal()}{found.layout}"


def _wrapped(sentence: str) -> list[str]:
    # Commands go on behind a backslash, so that a shell takes their lines as one.
    end = " \\" if sentence.startswith("$ ") else ""
    lines = textwrap.wrap(
        sentence, _WIDTH - len(end), subsequent_indent="  ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
    return [f"{line}{end}" for line in lines[:-1]] + lines[-1:]
