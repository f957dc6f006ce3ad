"""``movepages maps``: list the regions of a process and the nodes that hold their pages."""

from __future__ import annotations

import argparse
from typing import Any

import movepages as mp

from ..units import format_bytes
from .arguments import parse_count
from .json_output import Commands, add_json_option, print_json
from .regions import Regions, add_process_option, add_region_option, region_data, regions_of
from .terminal import printable, room_beside, say, show

_LIMIT = 30
_LEAST_NAME = 12
_GAP = 2
# Room for a name and the bytes of one node; with less, the policy column is dropped.
_LEAST = _LEAST_NAME + _GAP + len("0: 1023.9 MiB, ")


def add_to(commands: Commands, about: str) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "maps",
        help=about,
        description="List the regions of a process that have pages in memory, largest first: "
        "address, mapped bytes, permissions, policy (on 70 columns or more), bytes on each node, "
        "and name.",
    )
    add_process_option(parser)
    add_region_option(parser)
    parser.add_argument(
        "--limit", type=parse_count, default=_LIMIT, metavar="N",
        help="list at most N regions; 0 lists all (default: %(default)s; --json lists all)",
    )  # fmt: skip
    parser.add_argument(
        "--empty", action="store_true", help="also list regions that have no pages in memory"
    )
    parser.add_argument("--sort", choices=("size", "address"), default="size")
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the regions of a process and return the exit status."""
    regions, nodes = regions_of(options.pid, options.region), mp.process(options.pid).nodes
    in_memory = regions["bytes"].sum(axis=1)
    if not options.empty:
        regions, in_memory = regions[in_memory > 0], in_memory[in_memory > 0]
    if options.sort == "size":
        order = (-in_memory).argsort(kind="stable")
        regions, in_memory = regions[order], in_memory[order]
    if options.json:
        listed = [region_data(row, nodes) for row in regions]
        print_json("maps", {"pid": options.pid, "nodes": list(nodes), "regions": listed})
        return 0
    count = len(regions) if options.limit == 0 else options.limit
    _draw(regions[:count], nodes)
    if len(regions) > count:
        rest = format_bytes(int(in_memory[count:].sum()))
        say(f"and {len(regions) - count:,} more with {rest} in memory; --limit 0 lists all")
    return 0


def _draw(regions: Regions, nodes: tuple[int, ...]) -> None:
    rows = [_cells(row) for row in regions]
    titles = ["address", "mapped", "may", "policy"]
    held = [
        [
            f"{node}: {format_bytes(int(n))}"
            for node, n in zip(nodes, row["bytes"], strict=True)
            if n
        ]
        for row in regions
    ]
    if room_beside(titles, rows) < _LEAST:
        rows = [[*row[:-1], row[-1].replace(" ", "\n").replace(":", ":\n")] for row in rows]
    if room_beside(titles, rows) < _LEAST:
        titles, rows = titles[:-1], [row[:-1] for row in rows]
    room = room_beside(titles, rows)
    names = [printable(str(row["name"])) for row in regions]
    by_node = [_in_lines(each, room - _LEAST_NAME - _GAP) for each in held]
    room = max(
        room_beside([*titles, "by node"], [[*r, b] for r, b in zip(rows, by_node, strict=True)]),
        _LEAST_NAME,
    )
    show(
        [*titles, "by node", "what"],
        [
            [*row, cell, _shortened(name, room)]
            for row, cell, name in zip(rows, by_node, names, strict=True)
        ],
        left=range(2, len(titles) + 2),
    )


def _cells(row: Any) -> list[str]:
    return [
        f"{int(row['address']):x}",
        format_bytes(int(row["nbytes"])),
        str(row["permissions"]),
        str(row["policy"]),
    ]


def _in_lines(parts: list[str], room: int) -> str:
    """Join parts with commas; break the line where the next part would not fit."""
    text, used = "", 0
    for part in parts:
        if text:
            fits = used + len(part) + 2 < room
            text += ", " if fits else ",\n"
            used = used + 2 if fits else 0
        text, used = text + part, used + len(part)
    return text


def _shortened(name: str, room: int) -> str:
    """Cut the beginning off a long name, because its end says more."""
    return name if len(name) <= room else "..." + name[3 - room :]
