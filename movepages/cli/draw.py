"""The demonstration on a terminal, drawn with rich."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

import movepages as mp

from ..units import format_bytes
from .demo import Journey

# Okabe and Ito's colours, which the colour-blind tell apart, each under text that reads on it.
_COLOURS = [
    "black on #56B4E9", "black on #E69F00", "white on #0072B2", "black on #F0E442",
    "black on #009E73", "black on #CC79A7", "white on #D55E00",
]  # fmt: skip
_ABSENT = "·"


def node_style(topology: mp.Topology, node: int) -> str:
    """Return a style for a node: by its rank, as ids may be far apart."""
    return _COLOURS[sorted(topology.nodes).index(node) % len(_COLOURS)]


def strip(topology: mp.Topology, placement: mp.Placement, width: int) -> Text:
    """Draw the address range as one line: the node most pages of each cell are on."""
    text = Text()
    for cell in np.array_split(placement.status, min(width, placement.pages)):
        nodes, counts = np.unique(cell, return_counts=True)
        most = int(nodes[counts.argmax()])
        if most < 0:
            text.append(_ABSENT)
        else:
            text.append(str(most)[-1], node_style(topology, most))
    return text


def placement_table(topology: mp.Topology, placement: mp.Placement) -> Table:
    """Return bytes and pages of each node, and what is absent."""
    table = Table(box=None)
    for title in ("node", "bytes", "pages", "share"):
        table.add_column(title, justify="right")
    rows = [
        (Text(f" {node} ", node_style(topology, node)), nbytes, placement.pages_per_node[node])
        for node, nbytes in placement.bytes_per_node.items()
    ]
    if placement.absent_pages:
        rows.append((Text("absent"), placement.absent_bytes, placement.absent_pages))
    for name, nbytes, pages in rows:
        share = f"{nbytes / placement.nbytes:.1%}"
        table.add_row(name, format_bytes(nbytes), f"{pages:,}", share)
    return table


def steps_table() -> Table:
    """Return the empty table of moves."""
    table = Table(box=None)
    for title in ("to", "moved", "there", "not moved", "seconds", "GiB/s", "verified"):
        table.add_column(title, justify="left" if title == "to" else "right")
    return table


def add_step(table: Table, step: dict[str, Any], page_size: int) -> None:
    """Add one move to the table."""
    rate = step["moved"] * page_size / 2**30 / step["seconds"]
    reasons = [f"{count:,} {name}" for name, count in step["failed"].items()]
    if step["not_attempted"]:
        reasons.append(f"{step['not_attempted']:,} not attempted")
    agreed = f"{step['verified'] - step['differing']:,} of {step['verified']:,}"
    table.add_row(
        step["target"], f"{step['moved']:,}", f"{step['already_there']:,}",
        "\n".join(reasons) or "0", f"{step['seconds']:.3f}", f"{rate:.2f}", agreed,
    )  # fmt: skip


def watch(journey: Journey) -> Journey:
    """Make the journey and print each part when it is known."""
    console = Console(highlight=False)
    topology, before = journey.topology, journey.before
    console.print(str(before))
    console.print()
    console.print(placement_table(topology, before))
    console.print()
    console.print(strip(topology, before, min(console.width, 80)))
    console.print()
    if not journey.targets:
        console.print(
            "This process may use one NUMA node with memory, "
            f"node {topology.allowed_nodes[0]}: there is nowhere to move it to."
        )
    else:
        _travel(console, journey)
    _conclude(console, journey)
    return journey


def _travel(console: Console, journey: Journey) -> None:
    table = steps_table()
    with console.status("moving ..."):
        journey.travel()
    for step in journey.steps:
        add_step(table, step, journey.before.page_size)
    if journey.steps:
        console.print(table)
    for step in journey.steps:
        if step["error"]:
            console.print(f"{step['target']}: {step['error']}")
    for skip in journey.skipped:
        console.print(
            f"node {skip['node']}: left out, as it has {format_bytes(skip['free_bytes'])} free; "
            "try a smaller --size"
        )
    console.print()


def _conclude(console: Console, journey: Journey) -> None:
    right = journey.verified - journey.differing
    contents = "unchanged" if journey.contents_unchanged else "CHANGED"
    console.print(
        f"Verified by get_mempolicy: {right:,} of {journey.verified:,} pages were where movepages "
        f"says, in {journey.looks} look{'s' if journey.looks > 1 else ''}; contents {contents}."
    )
