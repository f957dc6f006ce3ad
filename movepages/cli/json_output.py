"""How a sub-command answers: in JSON if that is asked for, else drawn, if rich is there."""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from typing import Any, TypeAlias

# Of all commands; a field that changes its meaning or goes makes a new one.
_SCHEMA = 1

# What add_subparsers() returns: argparse has no public name for it.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Let the user choose JSON."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def print_json(command: str, data: dict[str, Any], *, indent: int | None = 2) -> None:
    """Print one JSON object, as ``movepages schema COMMAND`` describes it."""
    print(json.dumps({"command": command, "schema": _SCHEMA} | data, indent=indent), flush=True)


def has_rich() -> bool:
    """Whether the package rich is there to draw with."""
    try:
        import_module("rich.console")
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "rich":
            raise
        return False
    return True
