"""The option --json and its output, and whether rich is installed for drawing."""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from typing import Any, TypeAlias

# One version for all commands; removing a field or changing its meaning needs a new one.
_SCHEMA = 1

# The type that add_subparsers() returns; argparse has no public name for it.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def print_json(command: str, data: dict[str, Any], *, indent: int | None = 2) -> None:
    """Print one JSON object, as ``movepages schema COMMAND`` describes it."""
    print(json.dumps({"command": command, "schema": _SCHEMA} | data, indent=indent), flush=True)


def has_rich() -> bool:
    """Return whether the package rich is installed."""
    try:
        import_module("rich.console")
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "rich":
            raise
        return False
    return True
