"""``movepages move``: move the memory of a process to a node or into a layout."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import movepages as mp

from ..migration.huge_page_targets import OnConflict
from ..units import format_bytes, format_pages
from .json_output import Commands, add_json_option, print_json
from .process_move import Outcome, Progress, forecast, migrate
from .regions import Regions, add_process_option, add_region_option, kind_of, regions_of
from .target import HELP, parse_target
from .terminal import complain, console, is_terminal, say, show
from .whole_process import finish

_DESCRIPTION = """\
Move memory of a running process; its addresses and contents stay the same. By
default, all writable regions move; --region selects others, --whole takes all.
"""

_EPILOG = f"""\
{HELP}
exit status:
  0    every page in memory is on its target; with --dry-run, could be put there
  1    some pages are not (see the list), no such process, or no permission
  2    wrong arguments
  130  interrupted; the output says what was done by then
"""


def add_to(commands: Commands) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "move",
        help="move the memory of a process to a node or into a layout",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_process_option(parser)
    parser.add_argument("--to", type=parse_target, required=True, metavar="TARGET")
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
        "--dry-run", action="store_true", help="report what would move, and move nothing"
    )
    add_json_option(parser)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Move the memory, report the result, and return the exit status."""
    if options.whole and (options.region or not isinstance(options.to, int)):
        options.parser.error("argument --whole: expected one node as --to, and no --region")
    regions = regions_of(options.pid, options.region)
    # A region that changed while it was read has no policy and no bytes, but may hold memory.
    regions = regions[(regions["bytes"].sum(axis=1) > 0) | (regions["policy"] == "")]
    if options.whole:
        regions = regions[[kind_of(row) != "kernel" for row in regions]]
    elif not options.region:
        regions = regions[[_is_own(row) for row in regions]]
    if options.dry_run:
        return _show_plan(options, regions)
    flags = mp.MPOL_MF_MOVE_ALL if options.all else mp.MPOL_MF_MOVE
    outcome = Outcome(int(regions["nbytes"].sum()) // mp.topology().page_size)
    try:
        with _progress(regions, quiet=options.json) as tell:
            on_conflict = _on_conflict(options)
            migrate(options.pid, regions, options.to, flags, tell, outcome, on_conflict)
            finish(options.pid, regions, options.to, flags, outcome, all_of_it=options.whole)
    finally:
        # Also after Ctrl-C: pages moved by then stay moved, so report them.
        _show(options, outcome, len(regions))
    return 0 if outcome.ok else 1


def _on_conflict(options: argparse.Namespace) -> OnConflict:
    return "split" if options.split else "majority"


def _is_own(row: Any) -> bool:
    return "w" in str(row["permissions"]) and kind_of(row) != "kernel"


@contextmanager
def _progress(regions: Regions, *, quiet: bool) -> Iterator[Progress]:
    if quiet or not is_terminal():
        yield lambda _done: None
        return
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        ProgressColumn,
        Task,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        # Rich uses units of 1000; all other output here uses units of 1024.
        def render(self, task: Task) -> Text:
            return Text(f"{format_bytes(int(task.speed or 0))}/s")

    columns = (
        BarColumn(None),
        DownloadColumn(binary_units=True),
        Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(), transient=True, expand=True) as bars:
        # Count only bytes in memory: absent pages would make the rate look better than it is.
        task = bars.add_task("moving", total=int(regions["bytes"].sum()))
        yield lambda done: bars.update(task, completed=done)


def _show(options: argparse.Namespace, outcome: Outcome, regions: int) -> None:
    failures = {status.name: n for status, n in outcome.failures.items()}
    if options.json:
        counts = ("pages", "moved", "already_there", "failed", "absent", "not_attempted")
        data: dict[str, Any] = {"pid": options.pid, "dry_run": False, "regions": regions}
        data |= {name: getattr(outcome, name) for name in counts}
        data |= {
            "failures": failures,
            "overruled": outcome.overruled,
            "split": outcome.split,
            "elsewhere": outcome.elsewhere,
            "seconds": outcome.seconds,
            "error": outcome.error or None,
            "ok": outcome.ok,
        }
        print_json("move", data)
    else:
        rate = outcome.moved * mp.topology().page_size / max(outcome.seconds, 1e-9)
        rows = [["moved", f"{outcome.moved:,}"], ["already there", f"{outcome.already_there:,}"]]
        rows += [[f"failed: {s.name}", f"{n:,}"] for s, n in outcome.failures.items()]
        rows += [["overruled", f"{outcome.overruled:,}"]] * (outcome.overruled > 0)
        rows += [["huge pages split", f"{outcome.split:,}"]] * (outcome.split > 0)
        rows += [["not accounted for", f"{outcome.elsewhere:,}"]] * (outcome.elsewhere > 0)
        rows += [["not attempted", f"{outcome.not_attempted:,}"]] * (outcome.not_attempted > 0)
        rows += [["without memory", f"{outcome.absent:,}"]] * (outcome.absent > 0)
        show([f"{regions:,} regions", "pages"], rows)
        if outcome.moved:
            say(f"in {outcome.seconds:.2f} s, {format_bytes(int(rate))}/s")
    for status in outcome.failures:
        complain(f"{status.name}: {status.meaning}; {_remedy(status, options)}")
    if outcome.overruled:
        complain(_overruled(outcome.overruled, "went", split=options.split))
    if outcome.elsewhere:
        complain(
            f"/proc/{options.pid}/numa_maps shows {format_pages(outcome.elsewhere)} elsewhere "
            "beyond those reported: faulted in meanwhile, or not movable; run the command again"
        )
    if outcome.error:
        complain(outcome.error)


def _overruled(pages: int, verb: str, *, split: bool) -> str:
    helps = "these could not be split" if split else "--split splits these huge pages first"
    return (
        f"overruled: {format_pages(pages)} {verb} elsewhere with the rest of their huge page, "
        f"which the target spreads over several nodes; {helps}"
    )


def _remedy(status: mp.PageStatus, options: argparse.Namespace) -> str:
    if status == mp.PageStatus.EACCES:
        return "--all moves them"
    if status == mp.PageStatus.ENODATA and isinstance(options.to, int) and not options.whole:
        return "--whole moves them, along with everything else the process has on the same nodes"
    return status.remedy


def _show_plan(options: argparse.Namespace, regions: Regions) -> int:
    found = forecast(options.pid, regions, options.to, _on_conflict(options))
    flows = sorted(found.flows.items())
    problems = list(found.problems)
    # --whole uses migrate_pages(2), which moves pages on unknown nodes too.
    if found.stuck and not options.whole:
        status = mp.PageStatus.ENODATA
        problems.append(
            f"{format_pages(found.stuck)} may stay where they are: {status.meaning}; "
            f"{_remedy(status, options)}"
        )
    if found.overruled:
        problems.append(_overruled(found.overruled, "would go", split=options.split))
    if options.json:
        listed = [{"from": a, "to": b, "nbytes": n} for (a, b), n in flows]
        data = {"pid": options.pid, "dry_run": True, "regions": len(regions)}
        data |= {"flows": listed, "nbytes": found.nbytes, "problems": problems}
        data |= {"hidden": found.hidden, "overruled": found.overruled, "split": found.split}
        print_json("move", data)
    else:
        rows = [
            [str(source), str(to), format_bytes(n), "in place" if source == to else ""]
            for (source, to), n in flows
        ]
        show(["from", "to", "memory", ""], rows, left=(3,))
        if found.hidden:
            say(f"and {format_pages(found.hidden)} on nodes that this kernel does not report")
        say(f"{len(regions):,} regions, {format_bytes(found.nbytes)} to move. Nothing was moved.")
    for problem in problems:
        complain(problem)
    return 1 if problems else 0
