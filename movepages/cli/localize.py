"""``movepages localize``: bring the threads and the memory of a process together on a node."""

from __future__ import annotations

import argparse

import movepages as mp

from ..processes.localization import FROM_OUTSIDE
from ..units import format_bytes, format_ids
from .failures import complain
from .id_lists import device, known_node
from .json_output import Commands, add_json_option, print_json
from .move_progress import shown_progress
from .regions import add_process_option
from .terminal import Cell, bar, printable, say, show

_BAR = 24
_MOST_THREADS = 20

_DESCRIPTION = """\
Bring the threads and the memory of a running process together on a node: each
thread may then run on the CPUs of the node alone (threads pinned within it
stay pinned), and memory that the process may write to moves there.
"""

_EPILOG = """\
The memory policy of a process cannot be set from outside. To place what it
allocates later, start it with "movepages run".

exit status:
  0    all threads and all pages in memory are there; with --dry-run, can be
  1    some are not (the output says why), no such process, or no permission
  2    wrong arguments
"""


def add_to(commands: Commands, about: str) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "localize",
        help=about,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_process_option(parser)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--near", type=device, metavar="DEVICE",
        help="the node nearest to a device such as eth0 or cuda:0",
    )  # fmt: skip
    where.add_argument(
        "--node", type=known_node, metavar="N",
        help="the node; if it has no CPUs, the threads go to the nearest node with CPUs",
    )  # fmt: skip
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--cpus-only", action="store_true", help="do not move memory")
    which.add_argument(
        "--memory-only", action="store_true", help="do not set the CPUs of the threads"
    )
    parser.add_argument(
        "--children", action="store_true", help="include the children of the process, and theirs"
    )
    parser.add_argument(
        "--all", action="store_true",
        help="also move pages that other processes map (MPOL_MF_MOVE_ALL; needs CAP_SYS_NICE)",
    )  # fmt: skip
    parser.add_argument(
        "--whole", action="store_true", help="also move read-only regions, such as files"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="report what would be done, and do nothing"
    )
    add_json_option(parser)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Localize the process, report the result, and return the exit status."""
    for name in ("all", "whole") if options.cpus_only else ():
        if getattr(options, name):
            options.parser.error(f"argument --{name}: not allowed with argument --cpus-only")
    process = mp.process(options.pid)
    in_memory = int(process.regions()["bytes"].sum())
    with shown_progress(in_memory, quiet=options.json or options.dry_run) as tell:
        found = process.localize(
            options.node if options.near is None else options.near,
            cpus=not options.memory_only,
            memory=not options.cpus_only,
            children=options.children,
            whole=options.whole,
            dry_run=options.dry_run,
            flags=mp.MPOL_MF_MOVE_ALL if options.all else mp.MPOL_MF_MOVE,
            progress=lambda done, pages: tell(in_memory * done // max(pages, 1)),
        )
    if options.json:
        print_json("localize", {"pid": options.pid} | found.as_dict())
    else:
        _draw(found)
    for status in found.failures:
        shared = status == mp.PageStatus.EACCES
        complain(
            f"{status.name}: {status.meaning}; {'--all moves them' if shared else status.remedy}"
        )
    for problem in found.problems:
        complain(problem)
    return 0 if found.ok else 1


def _draw(found: mp.Localization) -> None:
    _draw_memory(found, "expected" if found.dry_run else "after")
    say()
    rows = [
        [f"{each.tid}", printable(each.name), format_ids(each.before), format_ids(each.after)]
        for each in found.threads
    ]
    show(["thread", "name", "CPUs before", "CPUs after"], rows[:_MOST_THREADS], left=(1, 2, 3))
    if len(rows) > _MOST_THREADS:
        say(f"and {len(rows) - _MOST_THREADS:,} more threads")
    say()
    if found.dry_run:
        say(f"{format_bytes(found.expected_bytes)} would move. Nothing was changed.")
    else:
        failed = "".join(f", {n:,} failed ({each.name})" for each, n in found.failures.items())
        say(f"{found.moved:,} pages moved{failed}")
    say(f"policy: {found.described_policies()}")
    say(FROM_OUTSIDE)


def _draw_memory(found: mp.Localization, after: str) -> None:
    rows: list[list[Cell]] = []
    nodes = sorted({*found.before.bytes_per_node, *found.after.bytes_per_node})
    for title, each in ("before", found.before), (after, found.after):
        amounts = [each.bytes_per_node.get(node, 0) for node in nodes]
        near = "-" if each.near is None else f"{each.near:.1%}"
        rows.append([
            title, *(format_bytes(n) if n else "-" for n in amounts), near,
            bar(list(zip(nodes, amounts, strict=True)), each.nbytes, _BAR),
        ])  # fmt: skip
    titles = ["", *(f"node {node}" for node in nodes), "near", "shares"]
    show(titles, rows, left=(0, len(titles) - 1))
