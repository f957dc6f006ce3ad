"""A journey drawn on a terminal of 80 columns; the only module that needs rich."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

import movepages as mp

from ..display.palette import colour
from ..display.sampling import cells, pick, symbols
from ..units import format_bytes
from .journey import BALANCING, Journey
from .look import Look
from .stops import Step
from .terminal import console, style_of

_LABEL = 8
_STRIP = 64
_BAR = 32


class Glyphs(NamedTuple):
    """The characters to draw with."""

    absent: str
    bar: str
    arrow: str
    none: str


UNICODE = Glyphs("·", "█", "→", "-")
ASCII = Glyphs(".", "#", "->", "-")


class Screen:
    """Shows a journey as it goes on: placement, a strip a look, a table, a summary."""

    def __init__(self) -> None:
        self._console = console()
        self._glyphs = ASCII if self._console.options.ascii_only else UNICODE
        self._symbols: Mapping[int, str] = {}

    def opened(self, journey: Journey) -> None:
        """Show the machine, the array's placement and the first strip."""
        placement, machine = journey.start.placement, journey.machine
        nodes = sorted({*machine.memory_nodes, *placement.bytes_per_node})
        self._symbols = symbols(nodes)
        self._say(
            f"A numpy array of {format_bytes(placement.nbytes)}, its last 1/8 untouched: "
            f"{placement.pages:,} pages of {format_bytes(placement.page_size)}."
        )
        self._say()
        shown = sorted({*machine.allowed_nodes, *placement.bytes_per_node})
        self._console.print(self._placement(placement, shown))
        self._say()
        width = len(self._strip(journey.start))
        each = format_bytes(-(-placement.pages // width) * placement.page_size)
        self._say(f"Along its addresses, {each} a cell, some of each node as it has:")
        self._line("start", journey.start)

    def arrived(self, step: Step) -> None:
        """Show the strip after a step."""
        target = "back" if step.target is None else f"{self._glyphs.arrow} node {step.target}"
        self._line(target, step.look)

    def closed(self, journey: Journey) -> None:
        """Show the table of steps, what there is to say to it, and what was verified."""
        self._say()
        if journey.steps:
            self._console.print(self._steps(journey))
            self._say()
        for remark in self._remarks(journey):
            self._say(remark)
        changed = "contents unchanged" if journey.unchanged else "CONTENTS CHANGED"
        looks = f"{len(journey.looks)} look" + "s" * (len(journey.looks) > 1)
        if journey.verified == journey.looked:
            verdict = "Verified by get_mempolicy"
        else:
            verdict = "NOT verified by get_mempolicy"
        self._say(
            f"{verdict}: {self._pages(journey)} where movepages says, in {looks}; {changed}.",
            "bold",
        )

    def _pages(self, journey: Journey) -> str:
        counts = {look.looked for look in journey.looks}
        if journey.verified == journey.looked and len(counts) == 1:
            (each,) = counts
            return f"{each:,} of {each:,} present pages are"
        return f"{journey.verified:,} of {journey.looked:,} times a present page was"

    def _say(self, sentence: str = "", style: str = "") -> None:
        self._console.print(sentence, style=style)

    def _line(self, label: str, look: Look) -> None:
        line = Text(f"{label:<{_LABEL}} ")
        line.append_text(self._strip(look))
        self._console.print(line, no_wrap=True, overflow="crop")

    def _strip(self, look: Look) -> Text:
        room = max(8, min(_STRIP, self._console.width - _LABEL - 1))
        strip = Text()
        for node, group in groupby(pick(cells(look.placement, room))):
            strip.append_text(self._chip(node, count=len(list(group))))
        return strip

    def _chip(self, node: int, margin: str = "", count: int = 1) -> Text:
        if node < 0:
            return Text(margin + self._glyphs.absent * count + margin)
        # A node may come up that had no memory when the journey began.
        return Text(margin + self._symbols.get(node, "?") * count + margin, style_of(node))

    def _placement(self, placement: mp.Placement, nodes: list[int]) -> Table:
        table = _table()
        table.add_column("")
        table.add_column("where")
        table.add_column("memory", justify="right")
        table.add_column("share", justify="right")
        table.add_column("")
        rows = [
            (node, f"node {node}", placement.bytes_per_node.get(node, 0), self._glyphs.bar)
            for node in nodes
        ]
        rows.append((-1, "absent", placement.absent_bytes, self._glyphs.absent))
        for node, name, nbytes, glyph in rows:
            share = nbytes / placement.nbytes
            bar = Text(
                glyph * max(round(_BAR * share), nbytes > 0), "" if node < 0 else colour(node)
            )
            table.add_row(self._chip(node, " "), name, format_bytes(nbytes), f"{share:.1%}", bar)
        return table

    def _steps(self, journey: Journey) -> Table:
        table = _table()
        table.add_column(f"from {self._glyphs.arrow} to\n(node)", no_wrap=True)
        for title in (
            "pages\nmoved",
            "already\nthere",
            "failed",
            "not at-\ntempted",
            "seconds",
            "GiB/s",
            "get_mem-\npolicy",
        ):
            table.add_column(title, justify="right")
        for step in journey.steps:
            self._add_step(table, step)
        return table

    def _add_step(self, table: Table, step: Step) -> None:
        result, speed = step.result, step.gib_per_second
        target = "start" if step.target is None else str(step.target)
        source = ",".join(map(str, step.source)) or self._glyphs.none
        table.add_row(
            f"{source} {self._glyphs.arrow} {target}",
            f"{result.moved:,}",
            f"{result.already_there or 0:,}",
            "\n".join(f"{n:,} {status.name}" for status, n in result.failures.items()) or "0",
            f"{result.not_attempted:,}",
            f"{result.seconds:.3f}",
            f"{speed:.2f}" if speed else self._glyphs.none,
            "agrees" if step.look.ok else Text("DIFFERS", "bold red"),
        )

    def _remarks(self, journey: Journey) -> list[str]:
        remarks = [str(skip) for skip in journey.skips]
        remarks += [f"To node {step.target}: {step.error}." for step in journey.steps if step.error]
        reasons = {status for step in journey.steps for status in step.result.failures}
        remarks += [f"{status.name}: {status.meaning}." for status in sorted(reasons, reverse=True)]
        machine = journey.machine
        if len(machine.memory_nodes) == 1:
            remarks.append(
                "This machine has one NUMA node with memory: there is nowhere to move it to. On "
                "one with more, the array now travels to each of them and back."
            )
        elif len(machine.allowed_nodes) == 1:
            remarks.append(
                f"Of the machine's {len(machine.memory_nodes)} NUMA nodes with memory, this "
                "process may use one (see cpuset.mems): there is nowhere to move it to."
            )
        elif not journey.steps:
            remarks.append("There is no other node with enough room: nothing was moved.")
        elif not journey.restored:
            remarks.append("Not every page is back where it was at the start.")
            if journey.balancing and not journey.problems():
                remarks.append(f"{BALANCING[0].upper()}{BALANCING[1:]}.")
        return remarks


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
