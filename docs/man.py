"""Write the manual pages movepages(1), movepages-move(1) ... from the help of each command.

python docs/man.py build/man && man -l build/man/movepages-move.1
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

import movepages
from movepages.cli import parser_of
from movepages.cli.commands import ABOUT

# The help is laid out already, for this many columns.
COLUMNS = "80"


def page(name: str, about: str, text: str, also: list[str]) -> str:
    """Return a manual page in the language of man(7); `text` is the help of a command."""
    usage, _, rest = text.partition("\n\n")
    usage = re.sub("^(usage: | {7})", "", usage, flags=re.MULTILINE)
    parts = {
        "NAME": f"{name} \\- {about}",
        "SYNOPSIS": literal(usage),
        "DESCRIPTION": literal(rest),
        "SEE ALSO": ", ".join(f"{each}(1)" for each in also) + ", move_pages(2), numa(7)",
    }
    head = f'.TH {name.upper()} 1 "" "movepages {movepages.__version__}" "movepages"\n'
    return head + "".join(f".SH {title}\n{part}\n" for title, part in parts.items())


def literal(text: str) -> str:
    """Return text whose lines stay as they are, and begin in the first column."""
    escaped = re.sub(r"^(?=[.'])", r"\\&", text.replace("\\", r"\e"), flags=re.MULTILINE)
    return f".in 0\n.nf\n{escaped.replace('-', chr(92) + '-').rstrip()}\n.fi\n.in"


def pages() -> dict[str, str]:
    """Return the manual pages by the names of their files."""
    every = [f"movepages-{name}" for name in ABOUT]
    about = "see on which NUMA node memory is, and move it"
    found = {"movepages.1": page("movepages", about, parser_of(None).format_help(), every)}
    for name, told in ABOUT.items():
        text = parser_of(name).format_help()
        found[f"movepages-{name}.1"] = page(f"movepages-{name}", told, text, ["movepages"])
    return found


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["COLUMNS"] = COLUMNS
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
