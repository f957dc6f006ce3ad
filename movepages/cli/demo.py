"""``movepages demo``: move an array to every node and back, and check every report."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..units import format_bytes
from .arguments import add_size_option
from .demo_tour import Tour, target_of
from .failures import complain
from .json_output import Commands, add_json_option, has_rich, print_json
from .terminal import Part, console, rich_text, strip

_DESCRIPTION = """\
Allocate a numpy array and show the NUMA node of each page. Move the array to
every other node with memory and back. Check each report with get_mempolicy(2),
and the contents at the end. The last 1/8 of the array stays untouched: its
pages are on no node and never move. The exit status is 0 if every check held,
else 1 (see stderr). Only --json works without the package rich.
"""

_LABEL, _STRIP, _COLUMN = 13, 64, 9
_TITLES = ("pages", "not", "", "get_mem-"), ("there", "there", "GiB/s", "policy")


def add_to(commands: Commands, about: str) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser("demo", help=about, description=_DESCRIPTION)
    add_size_option(parser, "size of the array")
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
    """Show each placement and move as it comes, then remarks and a verdict."""
    screen = console()
    arrow = "->" if screen.options.ascii_only else "→"
    size = min(_STRIP, screen.width - _LABEL - _COLUMN * len(_TITLES[0]))

    def line(label: str, drawn: Sequence[Part], columns: Sequence[str] = ()) -> None:
        texts = [Part(text.rjust(_COLUMN)) for text in columns]
        screen.print(rich_text([Part(label.ljust(_LABEL)), *drawn, *texts]))

    screen.print(
        f"A numpy array of {format_bytes(tour.array.nbytes)} along its addresses. Digits are nodes "
        "(modulo 10), dots are memory on no node: the last 1/8 is untouched.\n"
    )
    for titles in _TITLES if len(tour.machine.allowed_nodes) > 1 else ():
        line("", [Part(" " * size)], titles)
    line("start", strip(tour.here, size))
    for step in tour.travel():
        there, rate = step["found_on_target"], step["gib_per_second"] or 0
        agrees = "DIFFERS" if step["look"]["disagreement"] else "agrees"
        columns = [f"{there:,}", f"{step['pages'] - there:,}", f"{rate:.2f}", agrees]
        line(f"{arrow} {target_of(step['to'])}", strip(tour.here, size), columns)
    screen.print("", *sorted(tour.remarks), sep="\n")
    found = tour.as_dict()
    verified, looked = found["verified"], found["looked"]
    screen.print(
        f"{'Verified' if verified == looked else 'NOT verified'} by get_mempolicy: {verified:,} of "
        f"{looked:,} present pages are where movepages says, counted at the start and after each "
        f"move; contents {'unchanged' if tour.unchanged else 'CHANGED'}.",
        style="bold",
    )
