"""Show the demo's tour on an 80-column terminal; no other module requires rich."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from rich.table import Table
from rich.text import Text

from ..display.palette import colour
from ..display.sampling import cells, pick, symbols
from ..units import format_bytes
from .demo_tour import BALANCING, Facts, Look, Tour, describe_skip
from .terminal import console, style_of

# Widths in characters.
_LABEL, _STRIP, _BAR = 8, 64, 32
_UNICODE, _ASCII = ("·", "█", "→"), (".", "#", "->")
_COLUMNS = (
    "pages\nmoved",
    "already\nthere",
    "failed",
    "not at-\ntempted",
    "seconds",
    "GiB/s",
    "get_mem-\npolicy",
)


class Screen:
    """Shows a tour as it runs: one strip for each placement, then a table and a verdict."""

    def __init__(self) -> None:
        self._console = console()
        glyphs = _ASCII if self._console.options.ascii_only else _UNICODE
        self._absent, self._bar, self._arrow = glyphs
        self._symbols: Mapping[int, str] = {}

    def opened(self, tour: Tour) -> None:
        """Show the array, its placement and the first strip."""
        placement, machine = tour.looks[0].placement, tour.machine
        self._symbols = symbols(sorted({*machine.memory_nodes, *placement.bytes_per_node}))
        self._say(
            f"A numpy array of {format_bytes(placement.nbytes)}, its last 1/8 untouched: "
            f"{placement.pages:,} pages of {format_bytes(placement.page_size)}."
        )
        self._say()
        table = _table("", "where", "memory", "share", "", right=("memory", "share"))
        rows = [
            (node, f"node {node}", placement.bytes_per_node.get(node, 0), self._bar, colour(node))
            for node in sorted({*machine.allowed_nodes, *placement.bytes_per_node})
        ]
        for node, name, nbytes, glyph, style in [
            *rows,
            (-1, "absent", placement.absent_bytes, self._absent, ""),
        ]:
            share = nbytes / placement.nbytes
            bar = Text(glyph * max(round(_BAR * share), nbytes > 0), style)
            table.add_row(
                self._chip(node, margin=" "), name, format_bytes(nbytes), f"{share:.1%}", bar
            )
        self._console.print(table)
        self._say()
        each = format_bytes(
            -(-placement.pages // len(self._strip(tour.looks[0]))) * placement.page_size
        )
        self._say(f"Along its addresses, {each} a cell, some of each node as it has:")
        self._line("start", tour.looks[0])

    def arrived(self, step: Facts, look: Look) -> None:
        """Show the strip after a step."""
        self._line("back" if step["to"] is None else f"{self._arrow} node {step['to']}", look)

    def closed(self, tour: Tour) -> None:
        """Show the table of steps, remarks, and the verdict."""
        self._say()
        if tour.steps:
            table = _table(f"from {self._arrow} to\n(node)", *_COLUMNS, right=_COLUMNS)
            for step in tour.steps:
                table.add_row(*self._row(step))
            self._console.print(table)
            self._say()
        for remark in _remarks(tour):
            self._say(remark)
        looked, verified = tour.total("looked"), tour.total("verified")
        counts = {look.facts["looked"] for look in tour.looks}
        pages = f"{verified:,} of {looked:,} checks found the page"
        if verified == looked and len(counts) == 1:
            pages = "{0:,} of {0:,} present pages are".format(*counts)
        looks = f"{len(tour.looks)} look" + "s" * (len(tour.looks) > 1)
        changed = "contents unchanged" if tour.unchanged else "CONTENTS CHANGED"
        verdict = "Verified" if verified == looked else "NOT verified"
        self._say(
            f"{verdict} by get_mempolicy: {pages} where movepages says, in {looks}; {changed}.",
            "bold",
        )

    def _row(self, step: Facts) -> list[str | Text]:
        target = "start" if step["to"] is None else step["to"]
        speed = step["gib_per_second"]
        return [
            f"{','.join(map(str, step['from'])) or '-'} {self._arrow} {target}",
            f"{step['moved']:,}",
            f"{step['already_there']:,}",
            "\n".join(f"{n:,} {name}" for name, n in step["failures"].items()) or "0",
            f"{step['not_attempted']:,}",
            f"{step['seconds']:.3f}",
            f"{speed:.2f}" if speed else "-",
            Text("DIFFERS", "bold red") if step["look"]["disagreement"] else "agrees",
        ]

    def _say(self, sentence: str = "", style: str = "") -> None:
        self._console.print(sentence, style=style)

    def _line(self, label: str, look: Look) -> None:
        line = Text(f"{label:<{_LABEL}} ").append_text(self._strip(look))
        self._console.print(line, no_wrap=True, overflow="crop")

    def _strip(self, look: Look) -> Text:
        room = max(8, min(_STRIP, self._console.width - _LABEL - 1))
        strip = Text()
        for node, group in groupby(pick(cells(look.placement, room))):
            strip.append_text(self._chip(node, len(list(group))))
        return strip

    def _chip(self, node: int, count: int = 1, margin: str = "") -> Text:
        # Memory may have been added to a node since the tour began.
        glyph = self._symbols.get(node, "?") if node >= 0 else self._absent
        style = style_of(node) if node >= 0 else ""
        return Text(margin + glyph * count + margin, style)


def _table(*titles: str, right: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in titles:
        table.add_column(title, justify="right" if title in right else "left")
    table.columns[0].no_wrap = True
    return table


def _remarks(tour: Tour) -> list[str]:
    remarks = [describe_skip(skip) for skip in tour.skipped]
    remarks += [f"To node {step['to']}: {step['error']}." for step in tour.steps if step["error"]]
    reasons = {status for result in tour.results for status in result.failures}
    remarks += [f"{status.name}: {status.meaning}." for status in sorted(reasons, reverse=True)]
    nodes = tour.machine.memory_nodes
    if len(nodes) == 1:
        remarks.append(
            "This machine has one NUMA node with memory, so the array cannot move. On a machine "
            "with more nodes, this command moves it to each of them and back."
        )
    elif len(tour.machine.allowed_nodes) == 1:
        remarks.append(
            f"This process may use only one of the machine's {len(nodes)} NUMA nodes with memory "
            "(see cpuset.mems), so the array cannot move."
        )
    elif not tour.steps:
        remarks.append("No other node has enough free memory, so nothing was moved.")
    elif not tour.restored:
        remarks.append("Not every page is back where it was at the start.")
        if tour.balancing and not tour.problems():
            remarks.append(f"{BALANCING[0].upper()}{BALANCING[1:]}.")
    return remarks
