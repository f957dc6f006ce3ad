"""The ``movepages`` command: one module for each sub-command, over the package's public names."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence

import movepages as mp

from ..system.refusals import Refusal
from . import bench, completion, demo, doctor, maps, move, schema, topology, watch, where
from .arguments import TooLargeError
from .regions import NoRegionError
from .terminal import complain

__all__ = ["main"]

_EPILOG = """\
exit status of all commands:
  0    all went well
  1    it did not: pages are not where they were wanted, no such process, no permission
  2    wrong arguments, or a package is missing
  130  interrupted by Ctrl-C; 141: the reader of the output went away

Nothing but errors goes to standard error. Every command but schema has --json;
"movepages schema COMMAND" tells what it prints.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments without the program's name; those of this process by default.

    Returns
    -------
    int
        0 if all went well, 1 on a failure, 2 for a wrong use or a missing package, 128 + the
        signal's number on Ctrl-C (130) or when the reader of the output went away.

    Raises
    ------
    SystemExit
        From argparse: ``--help``, ``--version``, and arguments it cannot parse.

    Examples
    --------
    >>> main(["demo", "--size", "1MiB", "--json"])  # doctest: +SKIP
    0
    """
    if sys.stdout is None:
        complain("standard output is closed")
        return 1
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files may hold what the terminal's encoding has not.
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
        # Python flushes stdout once more as it ends, which would fail with a traceback.
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
        description=mp.__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"movepages {mp.__version__}")
    completion.add_to(parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for module in (topology, doctor, where, maps, move, watch, bench, demo, schema):
        module.add_to(commands)
    return parser
