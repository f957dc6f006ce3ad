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

--json prints one object; bytes and pages are integers:
  movepages           version
  nodes               ids of the nodes this process may use
  numa_balancing      whether the kernel moves pages by itself
  page_size           bytes
  array               address, nbytes, touched_bytes, pages
  start               the look before the first move
  steps               the moves, in order:
    from, to          node ids; "to" is null for the move back to the start
    pages             = moved + already_there + failed + not_attempted
    failures          {errno name: pages}; the counts add up to failed
    seconds           wall time of the move
    gib_per_second    rate of the pages that moved; null if none did
    error             why the move ended early, or null
    found_on_target   pages that the look found on their target
    look              the look after this move
  skipped             nodes left out: node, memory_free, needed (bytes)
  looks               number of looks
  looked              questions to get_mempolicy: at each look, one for each
                      page that is present or was written to
  verified            answers of get_mempolicy that agree with movepages
  contents_unchanged  whether the checksum is still the same
  restored            whether every page is where it was at the start
  problems            one sentence for each check that failed
  ok                  whether every check held
A look is a query of all pages. It has bytes_per_node, absent_bytes, looked,
verified and disagreement (a sentence, or null).
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
