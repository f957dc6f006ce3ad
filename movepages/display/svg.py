"""Pictures of memory as self-contained SVG of bounded size, without scripts or fonts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from itertools import groupby

import numpy as np

from ..units import byte_marks, format_bytes, format_pages
from .grid import grid
from .palette import colour, ink
from .sampling import ABSENT, FAILED, CellMix, Kinds, divide, nodes_of, stack, visible
from .views import PlacementView, off_nodes

CELLS = 256
_STEPS = 24
# Least fractions of a cell's height: for all present memory, and for each of several nodes.
_LEAST, _EACH = 1 / 4, 1 / 12
_GRID = 48, 96

_WIDTH = 640
_HEIGHT = 36
# Least room for the numbers of rows, and what separates them from the picture.
_MARGIN = 90
_GAP = 6
_EDGE = 20
_LEAST_SIDE = 96.0
_MOST_HEIGHT = 288.0
_LINE = 18
_LEGEND_COLUMNS = 4
# Widths of a legend's coloured box with its gap, and of a letter of 12 px in a wide font.
_KEY = 22
_LETTER = 7
# A stretch of at least this many cells has room for its node's number.
_LABELLED = 10

# Visible on both light and dark web pages.
_PALE = 'fill="#808080" fill-opacity="0.25"'
# A picture in its own file inherits no colour from a web page.
_ALONE = (
    "<style>svg{color:#222}@media(prefers-color-scheme:dark){svg{color:#ddd}}</style>"
)  # fmt: skip


def fill(kind: int) -> str:
    """Return the SVG attributes that colour a kind: a node, ABSENT or FAILED."""
    if kind == ABSENT:
        return _PALE
    return 'fill="currentColor"' if kind == FAILED else f'fill="{colour(kind)}"'


def placement_svg(placement: PlacementView, title: str = "", *, alone: bool = False) -> str:
    """Draw a placement, in the shape of an array with several axes, or else along its addresses.

    Parameters
    ----------
    placement : PlacementView
    title : str
        Heading of the picture, and the first words of its description. By default, the heading is
        the size and the description is ``str(placement)``.
    alone : bool
        Whether the picture is for a file of its own, not for a part of a web page.
    """
    counts = {node: format_bytes(nbytes) for node, nbytes in placement.bytes_per_node.items()}
    legend = {node: f"node {node}: {count}" for node, count in counts.items()}
    if nowhere := off_nodes(placement):
        legend[ABSENT] = nowhere
    if not placement.pages:
        body, height = "", 0.0
    elif len(placement.shape) > 1:
        body, height = _shape(placement, legend)
    else:
        nodes = nodes_of(placement.runs["status"])
        shares = divide(placement.runs["nbytes"], nodes, CELLS)
        body, height = _strip(shares, legend)
        body += _axis(placement.nbytes, height)
        height += _LINE
    heading = title or f"{format_bytes(placement.nbytes)} in {format_pages(placement.pages)}"
    what = f"{title}: {placement}" if title else str(placement)
    return document(heading, what, body, height, legend, alone=alone)


def strip_svg(heading: str, what: str, shares: CellMix, legend: Mapping[int, str]) -> str:
    """Draw a row of cells with a heading and a legend."""
    body, height = _strip(shares, legend) if len(shares.parts) else ("", 0.0)
    return document(heading, what, body, height, legend)


def document(
    heading: str,
    what: str,
    body: str,
    height: float,
    legend: Mapping[int, str],
    *,
    alone: bool = False,
) -> str:
    """Put a body between a heading and a legend; `what` describes the picture in words."""
    parts = [f'<text x="0" y="13" font-weight="bold">{escape(heading)}</text>']
    parts.append(f'<g transform="translate(0 {_LINE + 2})">{body}</g>')
    top = height + _LINE + 10
    column, each = 0, _WIDTH // _LEGEND_COLUMNS
    for kind, label in legend.items():
        wide = -(-(_KEY + _LETTER * len(label)) // each)
        if column + wide > _LEGEND_COLUMNS:
            column, top = 0, top + _LINE
        x = column * each
        column += wide
        parts.append(
            f'<rect x="{x}" y="{top:g}" width="16" height="12" {fill(kind)}/>'
            f'<text x="{x + _KEY}" y="{top + 10:g}">{escape(label)}</text>'
        )
    total = top + (_LINE if legend else 0)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(what)}" '
        f'viewBox="0 0 {_WIDTH} {total:g}" width="{_WIDTH}" height="{total:g}" '
        'style="max-width:100%;height:auto" font-family="system-ui,sans-serif" font-size="12" '
        f'fill="currentColor"><title>{escape(what)}</title>{_ALONE if alone else ""}'
        f"{''.join(parts)}</svg>"
    )


def _strip(shares: CellMix, legend: Mapping[int, str]) -> tuple[str, float]:
    pixels = stack(visible(shares, _LEAST, _EACH), _STEPS)
    return _pixels(pixels.T, legend, _WIDTH, _HEIGHT, turned=True) + _numbers(pixels), _HEIGHT


def _axis(nbytes: int, height: float) -> str:
    """Draw marks in bytes under a strip, all in one unit."""
    step, unit, size = byte_marks(nbytes)
    marks = [number * step for number in range(int(nbytes / step) + 1)]
    found = []
    for mark in marks:
        x = mark / nbytes * _WIDTH
        anchor = "start" if not mark else "end" if x > _WIDTH - _EDGE else "middle"
        label = f"{mark / size:g}" + (f" {unit}" if mark == marks[-1] else "")
        found.append(
            f'<path d="M{x:.1f} {height:g}v4" stroke="currentColor"/>'
            f'<text x="{x:.1f}" y="{height + 15:g}" text-anchor="{anchor}" '
            f'font-size="11">{label}</text>'
        )
    return "".join(found)


def _shape(placement: PlacementView, legend: Mapping[int, str]) -> tuple[str, float]:
    rows, columns = placement.shape[0], int(np.prod(placement.shape[1:], dtype=np.int64))
    pixels = grid(placement, *_GRID)
    flat = len(placement.shape) == 2
    down, across = ("row", "column") if flat else ("axis 0:", "others:")
    last = f"{down} {rows - 1:,}"
    margin = max(_MARGIN, _GAP + _LETTER * len(last))
    # Keep the array's proportions as far as the picture stays readable.
    width = float(_WIDTH - margin)
    height = min(max(width * rows / columns, _LEAST_SIDE), _MOST_HEIGHT)
    width = min(width, max(height * columns / rows, 2 * _LEAST_SIDE))
    text = (
        f'<text x="{margin - _GAP}" y="11" text-anchor="end">{down} 0</text>'
        f'<text x="{margin - _GAP}" y="{height:g}" text-anchor="end">{last}</text>'
        f'<text x="{margin}" y="{height + 14:g}">{across} 0</text>'
        f'<text x="{margin + width:g}" y="{height + 14:g}" text-anchor="end">'
        f"{across} {columns - 1:,}</text>"
    )
    drawn = _pixels(pixels, legend, width, height)
    return f'<g transform="translate({margin} 0)">{drawn}</g>{text}', height + _LINE


def _pixels(
    pixels: Kinds,
    legend: Mapping[int, str],
    width: float,
    height: float,
    *,
    turned: bool = False,
) -> str:
    """Draw a matrix of kinds, one path for each kind; `turned` transposes it."""
    paths: dict[int, list[str]] = {}
    for kind, x, y, w, h in _boxes(pixels):
        box = f"M{y} {x}h{h}v{w}h-{h}z" if turned else f"M{x} {y}h{w}v{h}h-{w}z"
        paths.setdefault(kind, []).append(box)
    down, right = pixels.shape[::-1] if turned else pixels.shape
    drawn = "".join(
        f'<path {fill(kind)} d="{"".join(boxes)}"><title>{escape(legend[kind])}</title></path>'
        for kind, boxes in sorted(paths.items())
    )
    return (
        f'<svg width="{width:g}" height="{height:g}" viewBox="0 0 {right} {down}" '
        f'preserveAspectRatio="none" shape-rendering="crispEdges">{drawn}</svg>'
    )


def _boxes(pixels: Kinds) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield the kind, column, row, width and height of each box; equal rows share boxes."""
    y = 0
    for row, alike in groupby(pixels.tolist()):
        h, x = len(list(alike)), 0
        for kind, neighbours in groupby(row):
            w = len(list(neighbours))
            yield kind, x, y, w, h
            x += w
        y += h


def _numbers(pixels: Kinds) -> str:
    """Write the node's number on each stretch that is wide enough and on one node alone."""
    found, x = [], 0
    for column, alike in groupby(pixels.T.tolist()):
        w, kinds = len(list(alike)), set(column)
        if len(kinds) == 1 and (kind := kinds.pop()) >= 0 and w >= _LABELLED:
            place = (x + w / 2) * _WIDTH / pixels.shape[1]
            found.append(
                f'<text x="{place:.1f}" y="{_HEIGHT / 2 + 4:g}" text-anchor="middle" '
                f'fill="{ink(colour(kind))}">{kind}</text>'
            )
        x += w
    return "".join(found)
