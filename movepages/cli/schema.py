"""``movepages schema``: print the JSON Schema of a command's JSON output."""

from __future__ import annotations

import argparse

from .json_output import Commands

COMMANDS = (
    "topology",
    "doctor",
    "where",
    "maps",
    "move",
    "localize",
    "advise",
    "run",
    "watch",
    "bench",
    "demo",
)


def add_to(commands: Commands, about: str) -> None:
    """Add the sub-command to the parser."""
    parser = commands.add_parser(
        "schema",
        help=about,
        description="Print the JSON Schema (draft 2020-12) of what a command prints with --json. "
        "Every object names its command and the version of the schema. A version may gain fields, "
        "but never loses one.",
    )
    parser.add_argument("of", choices=COMMANDS, metavar="COMMAND", help=", ".join(COMMANDS))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the schema and return the exit status."""
    print(text_of(options.of), end="")
    return 0


def text_of(command: str) -> str:
    """Return the schema of a command as text.

    Examples
    --------
    >>> '"const": "where"' in text_of("where")
    True
    """
    from importlib import resources

    file = resources.files(__package__) / "schemas" / f"{command}.json"
    return file.read_text(encoding="utf-8")
