"""End the help of a sub-command with the keys of its JSON object, as its JSON Schema has them."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from .schema import COMMANDS, text_of

_WIDTH, _COLUMN = 79, 22


class CommandParser(argparse.ArgumentParser):
    """Parser of a sub-command, which reads the schema only when its help is printed."""

    def format_help(self) -> str:
        """Return the help, followed by the keys of the JSON object."""
        text, command = super().format_help(), self.prog.split()[-1]
        if command not in COMMANDS:
            return text
        keys = _keys(json.loads(text_of(command))["properties"])
        return "\n".join([text, "keys of the JSON object:", *keys, ""])


def _keys(fields: dict[str, Any], indent: int = 2) -> Iterator[str]:
    """Yield a paragraph for keys in a row that mean the same, then the keys inside an object."""
    pad = " " * _COLUMN
    fill = textwrap.TextWrapper(_WIDTH, initial_indent=pad, subsequent_indent=pad).fill
    for field, names in groupby(fields, key=fields.__getitem__):
        if "const" in field:
            # Every object names its command and the version of the schema.
            continue
        inside = field.get("items", field).get("properties", {})
        about = field.get("description") or ", ".join(field.get("enum", ()))
        head = (" " * indent + ", ".join(names)).ljust(_COLUMN - 1) + " "
        text = fill(about + ":" * bool(inside))
        yield head + text.lstrip() if len(head) == _COLUMN else f"{head.rstrip()}\n{text}"
        yield from _keys(inside, indent + 2)
