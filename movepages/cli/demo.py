"""``movepages demo``: an array travels over all nodes and back, and every report is checked."""

from __future__ import annotations

import argparse

from .arguments import as_size
from .demo_tour import Tour
from .json_output import Commands, add_json_option, has_rich, print_json
from .terminal import complain

_DESCRIPTION = """\
Allocate a numpy array, show on which NUMA node each of its pages is, move it to
every other node with memory and back, and check each report of movepages with a
second source, get_mempolicy(2), and the contents with a checksum. The last 1/8
of the array is left untouched: such pages are on no node, and are never moved.
"""

_EPILOG = """\
exit status:
  0    every check held
  1    a check did not hold, or the kernel or a sandbox refused (see stderr)
  2    wrong arguments, or the package rich is missing (--json needs it not)
  130  interrupted

--json prints one object; bytes and pages are integers:
  movepages           version
  nodes               node ids this process may use
  numa_balancing      whether the kernel moves pages by itself
  page_size           bytes
  array               address, nbytes, touched_bytes, pages
  start               a look, before anything moved
  steps               a list of moves in order:
    from, to          node ids; "to" is null for the way back to the start
    pages             = moved + already_there + failed + not_attempted
    failures          {errno name: pages}; they add up to failed
    seconds           wall time of the move
    gib_per_second    over the pages that moved; null if none did
    error             why the move ended early, or null
    found_on_target   pages that the look found where they were wanted
    look              a look, afterwards
  skipped             nodes left out: node, memory_free, needed (bytes)
  looks               number of looks
  looked, verified    questions to get_mempolicy (one for each page, at each
                      look, that is present or was written to), and the
                      answers that agree
  contents_unchanged  by checksum
  restored            whether every page is where it was at the start
  problems            what did not hold, a sentence each
  ok                  whether every check held
A look has bytes_per_node, absent_bytes, looked, verified and disagreement
(a sentence, or null).
"""

_MISSING = 'the package rich is missing; to get it: pip install "movepages[cli]"'


def add_to(commands: Commands) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "demo",
        help="see an array's pages travel over all nodes and back, independently checked",
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
    """Run the demonstration and return its exit status."""
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
