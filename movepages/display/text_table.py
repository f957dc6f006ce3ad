"""Tables of plain text, and names that fit into them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .escaping import printable

# Most characters of a name.
_NAME = 32


def shortened(name: str) -> str:
    """Return a name without what could control a terminal, and without its middle if it is long."""
    name = printable(name)
    if len(name) <= _NAME:
        return name
    half = (_NAME - 3) // 2
    return f"{name[:half]}...{name[-half:]}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines with the first column to the left and the others to the right.

    Examples
    --------
    >>> aligned([["a", "10"], ["bc", "7"]])
    ['a   10', 'bc   7']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_line(widths, row) for row in rows]


def _line(widths: Iterable[int], cells: Iterable[str]) -> str:
    found = [
        f"{cell:>{width}}" if column else f"{cell:<{width}}"
        for column, (width, cell) in enumerate(zip(widths, cells, strict=True))
    ]
    return "  ".join(found)
