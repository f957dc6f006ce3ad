"""The ``movepages`` command: one module per sub-command, on top of the public API."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence

import movepages as mp

from ..system.refusals import Refusal
from . import (
    advise,
    bench,
    completion,
    demo,
    doctor,
    localize,
    maps,
    move,
    run,
    schema,
    topology,
    watch,
    where,
)
from .arguments import TooLargeError
from .json_help import CommandParser
from .json_output import Commands
from .regions import NoRegionError
from .terminal import complain

__all__ = ["main"]

_EPILOG = """\
exit status of all commands:
  0    all went well
  1    it did not: a page is off its target, no such process, no permission
  2    wrong arguments, or a package is missing
  130  interrupted by Ctrl-C; 141: the reader of the output went away

Only errors go to standard error. Every command except schema has --json;
"movepages schema COMMAND" describes the JSON.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; by default those of this process.

    Returns
    -------
    int
        0 on success, 1 on failure, 2 for wrong arguments or a missing package. After a signal it
        is 128 + the signal's number: 130 for Ctrl-C, 141 if the reader of the output went away.

    Raises
    ------
    SystemExit
        argparse exits after ``--help`` and ``--version``, and on arguments it cannot parse.

    Examples
    --------
    >>> main(["demo", "--size", "1MiB", "--json"])  # doctest: +SKIP
    0
    """
    if sys.stdout is None:
        complain("standard output is closed")
        return 1
    if isinstance(sys.stdout, io.TextIOWrapper):
        # File names may contain characters that the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with Refusal(mp.MovePagesError, mp.TopologyError) as refusal:
            status = _run(argv)
            sys.stdout.flush()
    except KeyboardInterrupt:
        complain("interrupted")
        return 128 + signal.SIGINT
    except (NoRegionError, TooLargeError) as error:
        complain(error.args[0])
        return 2
    if isinstance(refusal.error, BrokenPipeError):
        # Python flushes stdout again at exit, which would fail with a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    if refusal.error:
        complain(getattr(refusal.error, "strerror", None) or str(refusal.error))
        return 1
    return status


def _run(argv: Sequence[str] | None) -> int:
    parser = _parser()
    options = parser.parse_args(argv)
    if "run" not in options:
        parser.print_help()
        return 0
    status: int = options.run(options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="movepages",
        description="See which NUMA nodes hold the memory of a process, and move it between nodes.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"movepages {mp.__version__}")
    completion.add_to(parser)
    commands: Commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", parser_class=CommandParser
    )
    for module in (
        topology, doctor, where, maps, move, localize, advise, run, watch, bench, demo, schema,
    ):  # fmt: skip
        module.add_to(commands)
    return parser
