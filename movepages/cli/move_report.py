"""Print what a move of a process did, or would do, as text or JSON."""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

import movepages as mp

from ..units import format_bytes, format_pages
from .failures import complain
from .json_output import print_json
from .move_outcome import Outcome
from .process_move import Forecast
from .terminal import say, show


class Subject(NamedTuple):
    """What has moved, or would: its name in a table, and its fields in the JSON object."""

    name: str
    data: dict[str, Any]


def show_outcome(options: argparse.Namespace, outcome: Outcome, subject: Subject) -> None:
    """Print what a move did, and what to do about pages that are not on their target."""
    failures = {status.name: n for status, n in outcome.failures.items()}
    if options.json:
        counts = ("pages", "moved", "already_there", "failed", "absent", "not_attempted")
        data = subject.data | {"dry_run": False}
        data |= {name: getattr(outcome, name) for name in counts}
        data |= {
            "failures": failures,
            "overruled": outcome.overruled,
            "torn": outcome.torn,
            "split": outcome.split,
            "elsewhere": outcome.elsewhere,
            "seconds": outcome.seconds,
            "error": outcome.error or None,
            "ok": outcome.ok and not subject.data.get("problems"),
        }
        print_json("move", data)
    else:
        rate = outcome.moved * mp.topology().page_size / max(outcome.seconds, 1e-9)
        rows = [("moved", outcome.moved), ("already there", outcome.already_there)]
        rows += [(f"failed: {name}", n) for name, n in failures.items()]
        others = [
            ("overruled", outcome.overruled),
            ("torn", outcome.torn),
            ("huge pages split", outcome.split),
            ("not accounted for", outcome.elsewhere),
            ("not attempted", outcome.not_attempted),
            ("without memory", outcome.absent),
        ]
        rows += [(title, n) for title, n in others if n > 0]
        show([subject.name, "pages"], [[title, f"{n:,}"] for title, n in rows])
        if outcome.moved:
            say(f"in {outcome.seconds:.2f} s, {format_bytes(int(rate))}/s")
    for status in outcome.failures:
        complain(f"{status.name}: {status.meaning}; {_remedy(status, options)}")
    if outcome.overruled:
        complain(_overruled(outcome.overruled, "went", split=options.split))
    if outcome.torn:
        complain(_torn(outcome.torn))
    if outcome.elsewhere:
        complain(
            f"/proc/{subject.data['pid']}/numa_maps shows {format_pages(outcome.elsewhere)} "
            "elsewhere beyond those reported: faulted in during the move, or not movable; run the "
            "command again"
        )
    if outcome.error:
        complain(outcome.error)


def show_forecast(options: argparse.Namespace, found: Forecast, subject: Subject) -> bool:
    """Print what a move would do, and return whether it would put every page on its target."""
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
    if found.torn:
        problems.append(_torn(found.torn))
    if options.json:
        listed = [{"from": a, "to": b, "nbytes": n} for (a, b), n in flows]
        data = subject.data | {"dry_run": True, "flows": listed, "nbytes": found.nbytes}
        data |= {"problems": [*problems, *subject.data.get("problems", ())]}
        data |= {"hidden": found.hidden, "split": found.split}
        data |= {"overruled": found.overruled, "torn": found.torn}
        print_json("move", data)
    else:
        rows = [
            [str(source), str(to), format_bytes(n), "in place" if source == to else ""]
            for (source, to), n in flows
        ]
        show(["from", "to", "memory", ""], rows, left=(3,))
        if found.hidden:
            say(f"and {format_pages(found.hidden)} on nodes that this kernel does not report")
        say(f"{subject.name}, {format_bytes(found.nbytes)} to move. Nothing was moved.")
        if found.nbytes and not options.all:
            say("Pages that other processes map, too, stay where they are without --all.")
    for problem in problems:
        complain(problem)
    return not problems


def _overruled(pages: int, verb: str, *, split: bool) -> str:
    helps = "these could not be split" if split else "--split splits these huge pages first"
    return (
        f"overruled: {format_pages(pages)} {verb} elsewhere with the rest of their huge page, "
        f"which the target spreads over several nodes; {helps}"
    )


def _torn(pages: int) -> str:
    return (
        f"torn: {format_pages(pages)} with parts of several tensors that are wanted on different "
        "nodes; each such page is on one node only, where most of it is wanted"
    )


def _remedy(status: mp.PageStatus, options: argparse.Namespace) -> str:
    if status == mp.PageStatus.EACCES:
        return "--all moves them"
    if status == mp.PageStatus.ENODATA and isinstance(options.to, int) and not options.whole:
        return "--whole moves them, along with everything else the process has on the same nodes"
    return status.remedy
