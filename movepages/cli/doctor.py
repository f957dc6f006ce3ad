"""``movepages doctor``: report which operations this process can perform, and why others fail."""

from __future__ import annotations

import argparse

import movepages as mp

from ..doctor.report import describe, with_advice
from .json_output import Commands, add_json_option, has_rich, print_json
from .terminal import console

_STYLES = {"ok": "green", "limited": "yellow", "no": "bold red"}

_DESCRIPTION = """\
Try every kernel interface that movepages uses, without harm. Report which
operations this process can perform, why the others fail, and what to do.
"""

_EPILOG = """\
exit status:
  0    pages of this process can be queried and moved
  1    they cannot
  2    wrong arguments
"""


def add_to(commands: Commands, about: str) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "doctor",
        help=about,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the report and return the exit status."""
    report = mp.preflight()
    if options.json:
        print_json("doctor", report.as_dict())
    elif has_rich():
        _show(report)
    else:  # A diagnostic command must work without optional packages.
        print(report)
    return 0 if report.ok else 1


def _show(report: mp.Preflight) -> None:
    from rich.table import Table
    from rich.text import Text

    screen = console()
    checks = Table(box=None)
    for title in ("", "check", "found"):
        checks.add_column(title)
    for check, advice in with_advice(report.checks):
        found = Text(check.detail)
        if advice:
            found.append(f"\n-> {advice}", "dim")
        checks.add_row(Text(check.status, _STYLES[check.status]), check.name, found)
    facts = Table(box=None, show_header=False)
    for title, text in describe(report.facts):
        facts.add_row(Text(title, "bold"), text)
    screen.print(checks)
    screen.print()
    screen.print(facts)
