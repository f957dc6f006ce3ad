"""Move files in the page cache to a node or into a layout."""

from __future__ import annotations

import argparse
from typing import Any

import movepages as mp

from ..layouts.interleave import Interleave
from ..system.refusals import Refusal
from .failures import complain
from .move_outcome import Outcome
from .move_progress import shown_progress
from .move_report import Subject, show_forecast, show_outcome
from .process_move import Forecast
from .subjects import Files
from .terminal import printable, say
from .where_files import Row, data_of, draw, memory_of_file, problem_of, row_of


def run(options: argparse.Namespace) -> int:
    """Move or plan, report the result, and return the exit status."""
    files = Files(options.subjects)
    ok = _plan(options, files) if options.dry_run else _move(options, files)
    for problem in files.problems:
        complain(printable(problem))
    return 0 if ok and not files.problems else 1


def _move(options: argparse.Namespace, files: Files) -> bool:
    outcome, target, rows = Outcome(0), options.to, list[Row]()
    try:
        for path in files:
            with Refusal(mp.MovePagesError, ValueError) as refusal:
                memory = _memory(options, path)
                if memory is None:
                    continue
                before = mp.where(memory)
                outcome.pages += before.pages
                try:
                    _move_one(options, memory, before.nbytes, target, outcome)
                finally:
                    rows.append(row_of(path, memory))
                target = _after(target, memory)
            if refusal.error:
                files.problems.append(problem_of(path, refusal))
            if outcome.error:
                break
    finally:
        # Also after Ctrl-C: pages moved by then stay moved, so report them.
        show_outcome(options, outcome, _subject(rows, files))
        if not options.json:
            say()
            draw(rows)
    return outcome.ok


def _move_one(
    options: argparse.Namespace, memory: Any, nbytes: int, target: Any, outcome: Outcome
) -> None:
    """Move the memory of a file, and add what became of it to `outcome`."""
    with shown_progress(nbytes, quiet=options.json) as tell, outcome.collecting():
        moved = mp.move(
            memory, target, flags=mp.MPOL_MF_MOVE_ALL if options.all else mp.MPOL_MF_MOVE,
            on_conflict="split" if options.split else "majority", threads=options.threads,
            progress=lambda done, pages: tell(nbytes * done // max(pages, 1)),
        )  # fmt: skip
        outcome.add(moved)


def _plan(options: argparse.Namespace, files: Files) -> bool:
    total, target, rows = Forecast(), options.to, list[Row]()
    for path in files:
        with Refusal(mp.MovePagesError, ValueError) as refusal:
            memory = _memory(options, path)
            if memory is None:
                continue
            plan = mp.plan(memory, target, on_conflict="split" if options.split else "majority")
            total.add(plan)
            rows.append(row_of(path, memory))
            target = _after(target, memory)
        if refusal.error:
            files.problems.append(problem_of(path, refusal))
    total.add_problems(options.to)
    return show_forecast(options, total, _subject(rows, files))


def _subject(rows: list[Row], files: Files) -> Subject:
    name = f"{len(rows):,} file{'s' * (len(rows) != 1)}"
    return Subject(name, {"files": data_of(rows), "problems": files.problems})


def _memory(options: argparse.Namespace, path: str) -> Any:
    """Return the memory of a file; None if it has none."""
    memory = memory_of_file(path, options, read=options.read)
    return memory if len(memory) else None


def _after(target: Any, memory: Any) -> Any:
    """Return the target for the next file: turns go on, or small files would share a node."""
    if isinstance(target, Interleave) and not isinstance(memory, dict):
        return target.after(memory)
    return target
