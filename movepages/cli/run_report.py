"""Print what a command and its children had on each node, as text or JSON."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import shlex
import signal
import stat
import sys
from dataclasses import dataclass
from typing import Any, TextIO

import movepages as mp

from ..processes.execution import Running
from ..processes.usage import Held, ProcessUsage, TreeUsage
from ..system.refusals import Refusal, is_there
from ..units import format_bytes
from .failures import complain
from .json_output import print_json
from .terminal import printable, say, show

_KIB = 1024
_MOST_ROWS = 10
_LONGEST_COMMAND = 40


@dataclass
class Report:
    """What there is to tell of a command that has ended.

    Attributes
    ----------
    refused : list of str
        Why parts of the placement were refused.
    seconds, age : float
        How long the command ran, and how long before its end the last look was.
    """

    command: list[str]
    running: Running
    usage: TreeUsage
    refused: list[str]
    seconds: float
    age: float


def show_report(options: argparse.Namespace, report: Report) -> None:
    """Print the report to standard error, or to the file of ``--output``."""

    def write(file: TextIO) -> None:
        with contextlib.redirect_stdout(file):
            if options.json:
                print_json("run", _data(report))
            else:
                _draw(report)

    # A report that cannot be written does not change the exit status, which is the command's.
    with Refusal() as refusal:
        if options.output:
            with open(options.output, "w", encoding="utf-8") as file:
                write(file)
        elif sys.stderr is not None:
            write(sys.stderr)
    if refusal.error and options.output:
        complain(f"--output {options.output}: {refusal.why}")


def why_not_writable(path: str) -> str:
    """Return why no report could be written to a file later; "" if nothing is known against it."""
    # An attempt to open it would wait for the reader of a named pipe.
    there = is_there(path)
    asked = path if there else os.path.dirname(path) or "."
    with Refusal() as refusal:
        is_folder = stat.S_ISDIR(os.stat(asked).st_mode)
    if refusal.error:
        return refusal.why
    if is_folder == there:
        return os.strerror(errno.EISDIR if there else errno.ENOTDIR)
    return "" if os.access(asked, os.W_OK) else os.strerror(errno.EACCES)


def _draw(report: Report) -> None:
    usage, count = report.usage, len(report.usage.processes)
    nodes = _nodes(usage)
    words = printable(shlex.join(report.command))
    if len(words) > _LONGEST_COMMAND:
        words = words[: _LONGEST_COMMAND - 3] + "..."
    say(f"{words}: {_ending(report.running.status)} after "
        f"{report.seconds:.2f} s, {count:,} process{'es' * (count != 1)}")  # fmt: skip
    if not usage.samples:
        say("It ended before a sample was taken.")
        return
    say()
    titles = ["", *("not known" if node is None else f"node {node}" for node in nodes), "all"]
    rows = [_row("at the end", usage.end, nodes), _row("at the peak", usage.peak, nodes)]
    rows.append(["most of each", *(_amount(usage.most[node]) for node in nodes), ""])
    if count > 1:
        largest = sorted(usage.processes.values(), key=lambda each: -each.peak.total())
        rows += [_row(_title(each), each.peak, nodes) for each in largest[:_MOST_ROWS]]
    show(titles, rows)
    if count > _MOST_ROWS:
        say(f"and {count - _MOST_ROWS:,} more")
    say()
    samples = f"{usage.samples:,} sample{'s' * (usage.samples != 1)}"
    say(f"{samples}, the last one {report.age:.2f} s before the end.")
    say("Memory that several processes map counts for each of them.")


def _ending(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    return f"ended by {_signal_name(-status)}"


def _signal_name(number: int) -> str:
    named = {each.value: each.name for each in signal.Signals}
    return named.get(number, f"signal {number}")


def _nodes(usage: TreeUsage) -> list[int | None]:
    """Return the nodes with memory, and None if there was memory on nodes that are not known."""
    known = sorted({*mp.topology().memory_nodes, *(n for n in usage.most if n is not None)})
    shown = [node for node in known if len(known) <= 4 or usage.most[node]]
    return [*shown, *([None] if usage.most[None] else [])]


def _row(title: str, held: Held, nodes: list[int | None]) -> list[str]:
    return [title, *(_amount(held[node]) for node in nodes), _amount(held.total())]


def _title(of: ProcessUsage) -> str:
    return f"  {of.pid} {printable(of.name)}, peak"


def _amount(nbytes: int) -> str:
    return format_bytes(nbytes) if nbytes else "-"


def _data(report: Report) -> dict[str, Any]:
    usage, status = report.usage, report.running.status
    return {
        "argv": report.command,
        "exit_status": status if status >= 0 else None,
        "signal": _signal_name(-status) if status < 0 else None,
        "seconds": report.seconds,
        "refused": report.refused,
        "nodes": list(mp.topology().memory_nodes),
        "end": _held(usage.end),
        "peak": _held(usage.peak),
        "most": _held(usage.most),
        "processes": [
            {
                "pid": each.pid,
                "name": each.name,
                "ended": each.ended,
                "end": _held(each.last),
                "peak": _held(each.peak),
            }
            for each in usage.processes.values()
        ],
        "largest_resident": report.running.usage.ru_maxrss * _KIB,
        "samples": usage.samples,
        "sampling_seconds": usage.seconds,
        "seconds_before_end": report.age,
    }


def _held(held: Held) -> dict[str, Any]:
    known = {str(node): n for node, n in sorted(_known(held).items()) if n}
    return {"bytes_per_node": known, "unknown": held[None], "nbytes": held.total()}


def _known(held: Held) -> dict[int, int]:
    return {node: n for node, n in held.items() if node is not None}
