"""The ``movepages`` command: one module per sub-command, on top of the public API."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module

import movepages as mp

from ..system.refusals import Refusal
from . import completion
from .commands import ABOUT, overview
from .failures import NoRegionError, TooLargeError, complain
from .json_help import CommandParser
from .json_output import Commands

__all__ = ["main"]

_EPILOG = """\
exit status of all commands:
  0    success
  1    failure: a page is not on its target, no such process, no permission
  2    wrong arguments, or a package is missing
  130  interrupted by Ctrl-C; 141: the reader of the output has ended

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
        # The errors of this package that end a command are all OSErrors.
        with Refusal(OSError) as refusal:
            status = _run(sys.argv[1:] if argv is None else argv)
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


def _run(argv: Sequence[str]) -> int:
    # Before the command there are only options.
    used = [each for each in argv if each in ABOUT][:1]
    parser, commands = _parser(used)
    if argv and not argv[0].startswith("-") and argv[0] not in ABOUT:
        from .suggestions import no_such_command

        parser.error(no_such_command(argv[0], ABOUT))
    options, rest = parser.parse_known_args(argv)
    if rest:
        from .suggestions import not_taken

        # The usage of the command tells more than that of all commands.
        if used:
            parser = commands.choices[used[0]]
        parser.error(not_taken(rest, parser.format_help() if used else parser.format_usage()))
    if "run" not in options:
        parser.print_help()
        return 0
    status: int = options.run(options)
    return status


def parser_of(command: str | None) -> argparse.ArgumentParser:
    """Return the parser of a command, or that of all of them, to show its help."""
    parser, commands = _parser([command] if command else [])
    return commands.choices[command] if command else parser


def _parser(
    used: Iterable[str], *, listed: bool = False
) -> tuple[argparse.ArgumentParser, Commands]:
    """Return the parser with the arguments of some commands; the others have their names alone.

    The description lists the commands by purpose, so argparse does not list them again. Completion
    offers only commands that argparse lists: it passes `listed`.
    """
    parser = argparse.ArgumentParser(
        prog="movepages",
        usage="movepages [--help] [--version] COMMAND ...",
        description=overview(),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"movepages {mp.__version__}")
    completion.add_to(parser, lambda: _parser(ABOUT, listed=True)[0])
    commands: Commands = parser.add_subparsers(
        prog="movepages",
        metavar="COMMAND",
        help=None if listed else argparse.SUPPRESS,
        parser_class=CommandParser,
    )
    for name, about in ABOUT.items():
        # The module of a command is imported when the command is used.
        if name in used:
            import_module(f".{name}", __name__).add_to(commands, about)
        else:
            commands.add_parser(name, help=about)
    return parser, commands
