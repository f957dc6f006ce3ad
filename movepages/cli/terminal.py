"""Print tables and sentences: in colour with rich on a terminal, else in plain columns."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, NamedTuple, TypeAlias

import movepages as mp

from ..display.palette import colour, ink
from .json_output import has_rich


class Part(NamedTuple):
    """Characters drawn in the colour of a node, or in a rich style."""

    text: str
    node: int | None = None
    style: str = ""


Cell: TypeAlias = "str | Sequence[Part]"

_GAP = "  "
# Output to a file or a pipe is neither shortened nor wrapped.
_NO_LIMIT = 1 << 16
# Variables that make rich take a file or a pipe for a terminal.
_FORCES = ("FORCE_COLOR", "TTY_COMPATIBLE")


def show(
    titles: Sequence[str], rows: Sequence[Sequence[Cell]], *, left: Sequence[int] = (0,)
) -> None:
    """Print a table; columns are right-aligned, except those in `left`."""
    if is_terminal():
        console().print(rich_table(titles, rows, left=left))
        return
    texts = [
        list(line)
        for row in [titles, *rows]
        for line in zip_longest(*(_plain(cell).split("\n") for cell in row), fillvalue="")
    ]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        cells = (
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print(_GAP.join(cells).rstrip())


def rich_table(
    titles: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    left: Sequence[int] = (0,),
    title: str | None = None,
) -> Any:
    """Return the table that `show` prints, as a rich table."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.title, table.title_justify, table.title_style = title, "left", ""
    for i, title in enumerate(titles):
        # Long cells are names: wrap them, because rich would cut off the end, which says more.
        table.add_column(title, justify="left" if i in left else "right", no_wrap=i not in left)
    for row in rows:
        table.add_row(*map(rich_text, row))
    return table


def rich_text(cell: Cell) -> Any:
    """Return a cell as rich text."""
    from rich.text import Text

    parts = [Part(cell)] if isinstance(cell, str) else cell
    return Text.assemble(*((part.text, part.style or style_of(part.node)) for part in parts))


def say(sentence: str = "", *, wrap: bool = True) -> None:
    """Print a sentence, wrapped to the width of the terminal, or a command on one line."""
    if is_terminal():
        console().print(sentence, soft_wrap=not wrap)
    else:
        print(sentence)


def console() -> Any:
    """Return a rich console for the current standard output."""
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            # Rich would exit with status 1; main() returns the status of a broken pipe.
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    # Turn off rich's automatic colours, which suit dark terminals only.
    return Ours(highlight=False, markup=False, emoji=False)


def is_terminal() -> bool:
    """Return whether standard output is a terminal and rich is installed."""
    # To load rich takes longer than most commands.
    possible = sys.stdout.isatty() or any(name in os.environ for name in _FORCES)
    return possible and has_rich() and bool(console().is_terminal)


def width() -> int:
    """Return the width of the output in characters."""
    if is_terminal():
        return int(console().width)
    return shutil.get_terminal_size((_NO_LIMIT, 0)).columns


def room_beside(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Return how many characters a table leaves for one more column."""
    columns = zip(titles, *rows, strict=True)
    widest = (max(len(line) for cell in column for line in cell.split("\n")) for column in columns)
    return width() - sum(each + len(_GAP) for each in widest)


def bar(shares: Sequence[tuple[int, int]], total: int, cells: int) -> list[Part]:
    """Return a bar of node digits, `cells` long, in which each node gets its share.

    Examples
    --------
    >>> [part.text for part in bar([(0, 30), (1, 10)], 40, 8)]
    ['000000', '11']
    """
    parts, done, told = [], 0, 0
    for node, count in shares:
        done += count
        until = round(done * cells / total) if total else 0
        # A node with any memory gets at least one cell while there is room.
        length = max(until - told, 1 if count and told < cells else 0)
        told += length
        parts.append(Part(str(node)[-1] * length, node))
    return [part for part in parts if part.text]


def strip(placement: mp.Placement, count: int) -> list[Part]:
    """Return a strip of at most `count` node digits along the addresses; a dot is on no node."""
    # It needs numpy, and other commands do not.
    from ..display.sampling import cells, pick

    nodes = pick(cells(placement, count))
    return [Part(str(node)[-1], node) if node >= 0 else Part(".") for node in nodes]


def printable(name: str) -> str:
    r"""Escape characters that a terminal cannot show or would take for a command.

    Examples
    --------
    >>> print(printable("a" + chr(27)))
    a\x1b
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def style_of(node: int | None) -> str:
    """Return the rich style in which a node is drawn."""
    return "" if node is None else f"{ink(colour(node))} on {colour(node)}"


def _plain(cell: Cell) -> str:
    return cell if isinstance(cell, str) else "".join(part.text for part in cell)
