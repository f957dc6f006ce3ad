"""``movepages demo``: move an array to every node and back, and check every report."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from ..display.sampling import cells, pick
from ..units import format_bytes
from .arguments import as_size
from .demo_tour import Tour, target_of
from .json_output import Commands, add_json_option, has_rich, print_json
from .terminal import Part, complain, console, rich_table, rich_text

_DESCRIPTION = """\
Allocate a numpy array and show the NUMA node of each page. Move the array to
every other node with memory and back. Check each report of movepages against a
second source, get_mempolicy(2), and the contents against a checksum. The last
1/8 of the array is left untouched: its pages are on no node and never move.
The exit status is 0 if every check held, and 1 if one failed or the kernel or a
sandbox refused a call (see stderr). Only --json works without the package rich.
"""

_LABEL, _STRIP = 13, 64
_COLUMNS = ("moved", "already_there", "failed", "not_attempted", "seconds", "gib_per_second")


def add_to(commands: Commands) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "demo",
        help="move an array to every node and back, with independent checks",
        description=_DESCRIPTION,
    )
    examples = "64MiB, 64M (the same), 64MB, 4096 (default: %(default)s)"
    parser.add_argument(
        "--size", type=as_size, default="64MiB", help=f"size of the array: {examples}"
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the demo and return its exit status."""
    if not (options.json or has_rich()):
        complain('the package rich is missing; to get it: pip install "movepages[cli]"')
        return 2
    tour = Tour(options.size)
    if options.json:
        list(tour.travel())
        print_json("demo", tour.as_dict())
    else:
        _show(tour)
    for problem in tour.problems:
        complain(problem)
    return 1 if tour.problems else 0


def _show(tour: Tour) -> None:
    """Show a strip for each placement as it comes, then a table of the moves and a verdict."""
    screen = console()
    absent, arrow = (".", "->") if screen.options.ascii_only else ("·", "→")

    def strip(label: str) -> None:
        nodes = pick(cells(tour.here, min(_STRIP, max(screen.width - _LABEL, 1))))
        parts = [Part(str(node)[-1], node) if node >= 0 else Part(absent) for node in nodes]
        screen.print(rich_text([Part(label.ljust(_LABEL)), *parts]))

    screen.print(f"A numpy array of {tour.start}; its last 1/8 is untouched.")
    screen.print("Along its addresses, the last digit of each node:\n")
    strip("start")
    for step in tour.travel():
        strip(f"{arrow} {target_of(step)}")
    screen.print()
    if tour.steps:
        titles = (key.replace("gib_per_second", "GiB/s").replace("_", "\n") for key in _COLUMNS)
        rows = [_row(step) for step in tour.steps]
        screen.print(rich_table(["pages to", *titles, "get_mem-\npolicy"], rows))
        screen.print()
    for remark in _remarks(tour):
        screen.print(remark)
    found = tour.as_dict()
    verified, looked = found["verified"], found["looked"]
    screen.print(
        f"{'Verified' if verified == looked else 'NOT verified'} by get_mempolicy: {verified:,} of "
        f"{looked:,} present pages are where movepages says, at the start and after each move; "
        f"contents {'unchanged' if tour.unchanged else 'CHANGED'}.",
        style="bold",
    )


def _row(step: dict[str, Any]) -> list[str]:
    numbers = [step[key] or 0 for key in _COLUMNS]
    texts = [f"{n:,}" if isinstance(n, int) else f"{n:.3f}" for n in numbers]
    return [target_of(step), *texts, "DIFFERS" if step["look"]["disagreement"] else "agrees"]


def _remarks(tour: Tour) -> Iterator[str]:
    for skip in tour.skipped:
        free, needed = format_bytes(skip["memory_free"]), format_bytes(skip["needed"])
        yield f"Node {skip['node']} is left out: it has {free} free, not twice {needed} to move."
    for step in tour.steps:
        if step["error"]:
            yield f"To {target_of(step)}: {step['error']}."
    for status in sorted(tour.reasons, reverse=True):
        yield f"{status.name}: {status.meaning}."
    if len(tour.machine.allowed_nodes) == 1:
        has = "This machine has" if len(tour.machine.memory_nodes) == 1 else "The cpuset allows"
        yield f"{has} one NUMA node with memory. With more nodes, the array moves to each and back."
    elif tour.here != tour.start:
        yield "Not every page is back where it was at the start."
