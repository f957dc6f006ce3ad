"""``movepages topology``: show the NUMA nodes of this machine."""

from __future__ import annotations

import argparse

import movepages as mp

from ..display.topology_table import table
from ..units import format_ids
from .json_output import Commands, add_json_option, print_json
from .terminal import say, width

_WIDEST = 80


def add_to(commands: Commands, about: str) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "topology",
        help=about,
        description="Show the NUMA nodes of this machine: CPUs, memory, huge pages, distances, "
        "and which nodes this process may use.",
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the nodes and return the exit status."""
    machine = mp.topology()
    if options.json:
        print_json("topology", machine.as_dict())
        return 0
    # Lines of 80 columns are easier to read, even on a wider terminal.
    print(table(machine, min(width(), _WIDEST)))
    nodes = machine.allowed_nodes
    say()
    say(f"This process may use memory of node{'s' * (len(nodes) > 1)} {format_ids(nodes)}.")
    return 0
