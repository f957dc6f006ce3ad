"""Error messages for commands and options that do not exist, with the nearest that do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection


def no_such_command(given: str, commands: Collection[str]) -> str:
    """Return the message for a word that is not a command."""
    if given in ("help", "version"):
        return f"there is no command {given!r}; did you mean '--{given}'?"
    return f"there is no command {given!r}{_nearest(given, commands)}"


def not_taken(rest: list[str], told: str) -> str:
    """Return the message for arguments that nothing takes; the text `told` names all options."""
    unknown = next((each for each in rest if each.startswith("-")), None)
    if unknown is None:
        return f"there is nothing to do with the argument {rest[0]!r}"
    option = unknown.partition("=")[0]
    known = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", told))
    return f"there is no option {option!r}{_nearest(option, known)}"


def _nearest(given: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(given, sorted(known), 1, 0.7)
    return f"; did you mean {near[0]!r}?" if near else ""
