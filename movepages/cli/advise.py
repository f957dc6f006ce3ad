"""``movepages advise``: what of a process is far from its threads, and what would mend it."""

from __future__ import annotations

import argparse

import movepages as mp

from ..advice.use import use_of_cpus
from ..display.advice_text import sentences, table_of
from ..display.escaping import printable
from . import id_lists
from .json_output import Commands, add_json_option, print_json
from .regions import add_process_option
from .terminal import is_terminal, say, show

_DESCRIPTION = """\
Report which memory of a running process is far from the threads that use it,
where it should be, how long the move takes, and after how many passes over the
memory the move has paid for itself. Nothing moves. The advice rests on where
the memory is, where the threads may run, and where they ran last. It does not
see which memory each thread uses.
"""

_EPILOG = """\
The gain of a move is known only if "movepages bench --matrix" has measured
this machine before.

exit status:
  0    there is advice, or nothing to do ("ok" in the JSON says which)
  1    no such process, or no permission
  2    wrong arguments
"""


def add_to(commands: Commands, about: str) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "advise",
        help=about,
        description=_DESCRIPTION,
        epilog=f"{id_lists.HELP}\n{_EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_process_option(parser)
    parser.add_argument(
        "--cpus", type=_known_cpus, metavar="CPUS",
        help="the CPUs that use the memory; by default those of threads that have used CPU time",
    )  # fmt: skip
    parser.add_argument(
        "--access", choices=("parts", "all"), default="parts",
        help="whether threads on several nodes each use a part of the memory, or each all of it "
        "(default: %(default)s)",
    )  # fmt: skip
    add_json_option(parser)
    parser.set_defaults(run=run)


def _known_cpus(text: str) -> tuple[int, ...]:
    found = id_lists.cpus(text)
    try:
        use_of_cpus(mp.topology(), found)
    except ValueError as error:
        why = str(error).removeprefix("cpus: ")
        raise argparse.ArgumentTypeError(f"{text!r}: {why}") from None
    return found


def run(options: argparse.Namespace) -> int:
    """Print the advice and return the exit status."""
    found = mp.advise(pid=options.pid, cpus=options.cpus, access=options.access)
    if options.json:
        data = found.as_dict()
        # No function runs here.
        del data["observed"]
        print_json("advise", data)
        return 0
    if not is_terminal():
        print(found)
        return 0
    say(f"used by {found.described_use}")
    say()
    heads, rows = table_of(found)
    show(heads, rows, left=(0, len(heads) - 1))
    say()
    for each in sentences(found):
        say(printable(each), wrap=not each.startswith("$ "))
    return 0
