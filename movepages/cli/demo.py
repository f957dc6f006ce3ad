"""``movepages demo``: move an array to every node and back, and check every report."""

from __future__ import annotations

import argparse

from .arguments import as_size
from .demo_tour import Tour
from .json_output import Commands, add_json_option, has_rich, print_json
from .terminal import complain

_DESCRIPTION = """\
Allocate a numpy array and show the NUMA node of each page. Move the array to
every other node with memory and back. Check each report of movepages against a
second source, get_mempolicy(2), and the contents against a checksum. The last
1/8 of the array is left untouched: its pages are on no node and never move.
"""

_EPILOG = """\
exit status:
  0    every check held
  1    a check failed, or the kernel or a sandbox refused a call (see stderr)
  2    wrong arguments, or the package rich is missing (--json does not need it)
  130  interrupted
"""

_MISSING = 'the package rich is missing; to get it: pip install "movepages[cli]"'


def add_to(commands: Commands) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "demo",
        help="move an array to every node and back, with independent checks",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--size",
        type=as_size,
        default="64MiB",
        help="size of the array: 64MiB, 64M (the same), 64MB, 4096 (default: %(default)s)",
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the demo and return its exit status."""
    screen = None
    if not options.json:
        if not has_rich():
            complain(_MISSING)
            return 2
        from .demo_screen import Screen

        screen = Screen()
    tour = Tour(options.size)
    if screen:
        screen.opened(tour)
    for step in tour.travel():
        if screen:
            screen.arrived(step, tour.looks[-1])
    if screen:
        screen.closed(tour)
    else:
        print_json("demo", tour.as_dict())
    for problem in tour.problems():
        complain(problem)
    return 1 if tour.problems() else 0
