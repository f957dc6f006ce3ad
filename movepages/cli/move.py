"""``movepages move``: move the memory of a process, or files, to a node or into a layout."""

from __future__ import annotations

import argparse
from typing import Any

import movepages as mp

from ..migration.huge_page_targets import OnConflict
from . import move_files, subjects
from .arguments import as_threads
from .json_output import Commands, add_json_option
from .move_outcome import Outcome
from .move_progress import shown_progress
from .move_report import Subject, show_forecast, show_outcome
from .process_move import forecast, migrate
from .regions import Regions, add_region_option, kind_of, regions_of
from .subjects import add_file_options, as_subject, refuse_unless_alone
from .target import HELP, parse_target
from .whole_process import finish

_DESCRIPTION = """\
Move memory of a running process; its addresses and contents stay the same. By
default, all writable regions move; --region selects others, --whole takes all.
Or move files in the page cache, for the process that reads them next.
"""

_EPILOG = f"""\
{HELP}
exit status:
  0    every page in memory is on its target; with --dry-run, it can move there
  1    some pages are not (see the list), no such process, or no permission
  2    wrong arguments
  130  interrupted; the output says what was done by then
"""


def add_to(commands: Commands, about: str) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "move",
        help=about,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "subjects", nargs="+", type=as_subject, metavar="PID|FILE", help=subjects.HELP
    )
    parser.add_argument(
        "--to",
        type=parse_target,
        required=True,
        metavar="TARGET",
        help="a node or layout: see below",
    )
    add_region_option(parser)
    parser.add_argument(
        "--all",
        action="store_true",
        help="also move pages that other processes map (MPOL_MF_MOVE_ALL; needs CAP_SYS_NICE)",
    )
    parser.add_argument(
        "--whole",
        action="store_true",
        help="move all of its memory to one node, including read-only regions and files; "
        "migrate_pages(2) moves pages that this kernel hides from move_pages(2), and with "
        "CAP_SYS_NICE it also moves shared pages",
    )
    parser.add_argument(
        "--split",
        action="store_true",
        help="split huge pages that the target spreads over several nodes, so that each small page "
        "reaches its node; without this, a huge page goes to the node wanted for most of it",
    )
    parser.add_argument(
        "--threads",
        type=as_threads,
        metavar="N",
        help="number of threads that move; by default one for each 16 MiB, at most 16, and at most "
        "as many as the CPUs that movepages may use",
    )
    add_file_options(parser)
    parser.add_argument(
        "--read", action="store_true", help="for files: first read what is not in memory"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="report what would move, and move nothing"
    )
    add_json_option(parser)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Move the memory, report the result, and return the exit status."""
    refuse_unless_alone(options, for_processes=["region", "whole"])
    pid = options.subjects[0]
    if isinstance(pid, str):
        return move_files.run(options)
    if options.read:
        options.parser.error("argument --read: expected files, got a process ID")
    if options.whole and (options.region or not isinstance(options.to, int)):
        options.parser.error("argument --whole: expected one node as --to, and no --region")
    regions = regions_of(pid, options.region)
    # A region that changed while it was read has no policy and no bytes, but may hold memory.
    regions = regions[(regions["bytes"].sum(axis=1) > 0) | (regions["policy"] == "")]
    if options.whole:
        regions = regions[[kind_of(row) != "kernel" for row in regions]]
    elif not options.region:
        regions = regions[[_is_own(row) for row in regions]]
    on_conflict: OnConflict = "split" if options.split else "majority"
    if options.dry_run:
        expected = forecast(pid, regions, options.to, on_conflict)
        return 0 if show_forecast(options, expected, _subject(pid, regions)) else 1
    flags = mp.MPOL_MF_MOVE_ALL if options.all else mp.MPOL_MF_MOVE
    outcome = Outcome(int(regions["nbytes"].sum()) // mp.topology().page_size)
    try:
        # Count only bytes in memory: absent pages would make the rate look better than it is.
        with shown_progress(int(regions["bytes"].sum()), quiet=options.json) as tell:
            migrate(
                pid, regions, options.to, tell, outcome,
                flags=flags, on_conflict=on_conflict, threads=options.threads,
            )  # fmt: skip
            finish(pid, regions, options.to, flags, outcome, all_of_it=options.whole)
    finally:
        # Also after Ctrl-C: pages moved by then stay moved, so report them.
        show_outcome(options, outcome, _subject(pid, regions))
    return 0 if outcome.ok else 1


def _subject(pid: int, regions: Regions) -> Subject:
    return Subject(f"{len(regions):,} regions", {"pid": pid, "regions": len(regions)})


def _is_own(row: Any) -> bool:
    return "w" in str(row["permissions"]) and kind_of(row) != "kernel"
