"""Plots of placements with matplotlib."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..units import byte_marks, format_bytes
from ..whole_numbers import as_whole
from .grid import grid
from .mpl_axes import (
    Axes,
    BinaryLocator,
    FuncFormatter,
    MaxNLocator,
    Patch,
    Rectangle,
    new_axes,
    say,
    to_rgba_array,
)
from .mpl_strip import StripImage
from .palette import HATCH, PALE, colour, ink
from .sampling import ABSENT, CellMix, divide, nodes_of
from .views import PlacementView, off_nodes

# Cells in one row of addresses.
_COLUMNS = 512
_GAP = 0.2
_ROW_LABELS = 32
# Maximum rows and columns of cells when an array is drawn in its own shape.
_SIDE = 512
_LEGEND_ROWS = 16
# Height in inches that the labels beside rows of addresses need.
_LEAST_WRAPPED = 2.7
# A stretch of at least this fraction of the width has room for its node's number.
_LABELLED = 0.04


def plot_placement(placement: PlacementView, ax: Axes | None, rows: int | None) -> Axes:
    """Draw a placement, as `Placement.plot` describes."""
    if rows is not None:
        rows = as_whole("rows", rows)
    shaped = rows is None and len(placement.shape) > 1
    rows = max(1, min(rows or 1, placement.pages))
    if ax is None:
        entries = len(placement.bytes_per_node) + 1
        columns = -(-entries // _LEGEND_ROWS)
        least = 5 if shaped else _LEAST_WRAPPED if rows > 1 else 0
        height = max(least, 1.3 + 0.3 * rows, 0.6 + 0.19 * -(-entries // columns))
        width = (5.5 if shaped else 7.4) + 1.4 * columns
        ax = new_axes(width, min(height, 8))
    if not placement.pages:
        say(ax, "no memory: the array is empty")
    elif shaped:
        _draw_shape(placement, ax)
    else:
        _draw_addresses(placement, ax, rows)
    _add_legend(placement, ax)
    return ax


def _draw_addresses(placement: PlacementView, ax: Axes, rows: int) -> None:
    nodes = nodes_of(placement.runs["status"])
    # Divide bytes, not pages: the array may hold only part of its first and last page.
    shares = divide(placement.runs["nbytes"], nodes, _COLUMNS * rows)
    span = placement.nbytes / rows
    for row in range(rows):
        part = slice(row * _COLUMNS, (row + 1) * _COLUMNS)
        some = CellMix(shares.kinds, shares.parts[part])
        top, bottom = row, row + 1 - (_GAP if rows > 1 else 0)
        _draw_ground(ax, (0, span), (top, bottom))
        ax.add_image(StripImage(ax, some, (0, span, bottom, top), _rgba))
        _add_numbers(ax, some, span, (top + bottom) / 2)
    ax.set_aspect("auto")
    ax.set_xlim(0, span)
    ax.set_ylim(bottom, 0)
    ax.xaxis.set_major_locator(BinaryLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(partial(_in_units, byte_marks(span)[2])))
    # In memory with gaps, a count of the array's bytes is not an offset.
    gaps = _extent(placement) != placement.pages
    what = "bytes of the array, by address" if gaps else "offset from the array's start"
    across = what if rows == 1 else "offset from the row's start"
    ax.set_xlabel(f"{across} ({byte_marks(span)[1]})")
    ax.set_yticks([])
    if rows > 1:
        some_rows = range(0, rows, -(-rows // _ROW_LABELS))
        starts = [format_bytes(round(row * span)) for row in some_rows]
        ax.set_yticks([row + (1 - _GAP) / 2 for row in some_rows], starts)
        ax.tick_params(left=False)
        ax.set_ylabel(what)
    ax.spines[:].set_visible(False)


def _in_units(size: int, value: float, _position: int | None) -> str:
    return f"{value / size:g}"


def _extent(placement: PlacementView) -> int:
    """Return the number of pages from the first to the last, gaps included."""
    last = placement.runs[-1]
    first = int(placement.runs["address"][0])
    return int(last["pages"]) + (int(last["address"]) - first) // placement.page_size


def _draw_shape(placement: PlacementView, ax: Axes) -> None:
    rows, columns = placement.shape[0], int(np.prod(placement.shape[1:], dtype=np.int64))
    found = grid(placement, _SIDE, _SIDE)
    # Ticks mark the middles of rows and columns, so the edges are half a step further out.
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    _draw_ground(ax, extent[:2], extent[2:])
    ax.imshow(_rgba(found), extent=extent, aspect="auto", interpolation="none", zorder=1)
    ax.set_xlim(extent[:2])
    ax.set_ylim(extent[2:])
    for axis in (ax.xaxis, ax.yaxis):
        # By default, an axis with a single index would have ticks at fractions beside it.
        axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if len(placement.shape) == 2:
        ax.set_ylabel("row")
        ax.set_xlabel("column")
    else:
        ax.set_ylabel("index of axis 0")
        others = ", ".join(map(str, range(1, len(placement.shape))))
        ax.set_xlabel(f"index of axes {others} in C order")


def _rgba(kinds: npt.NDArray[np.int32]) -> npt.NDArray[np.uint8]:
    """Return the colours of nodes; absent memory is transparent, so that the ground shows."""
    found, which = np.unique(kinds, return_inverse=True)
    table = to_rgba_array(["none" if kind == ABSENT else colour(kind) for kind in found.tolist()])
    colours: npt.NDArray[np.uint8] = np.round(table * 255).astype(np.uint8)
    return colours[which.reshape(kinds.shape)]


def _draw_ground(ax: Axes, across: tuple[float, ...], down: tuple[float, ...]) -> None:
    corner, size = (across[0], down[0]), (across[1] - across[0], down[1] - down[0])
    ax.add_patch(Rectangle(corner, *size, zorder=0.5, **_ABSENCE))


_ABSENCE: dict[str, Any] = {
    "facecolor": PALE,
    "edgecolor": HATCH,
    "hatch": "////",
    "linewidth": 0,
}


def _add_numbers(ax: Axes, shares: CellMix, span: float, middle: float) -> None:
    """On each stretch that is wide enough and all on one node, write the number of that node."""
    whole = np.where(shares.parts.max(axis=1) == 1, shares.parts.argmax(axis=1), -1)
    edges = np.flatnonzero(np.diff(whole, prepend=-2, append=-2))
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        kind = int(shares.kinds[whole[first]])
        if whole[first] >= 0 and kind != ABSENT and last - first >= _LABELLED * len(whole):
            place = (first + last) / 2 / len(whole) * span
            ax.text(
                place, middle, str(kind), ha="center", va="center", clip_on=True,
                color=ink(colour(kind)), fontsize="small",
            )  # fmt: skip


def _add_legend(placement: PlacementView, ax: Axes) -> None:
    entries = [
        Patch(facecolor=colour(node), label=f"node {node}: {format_bytes(nbytes)}")
        for node, nbytes in placement.bytes_per_node.items()
    ]
    if label := off_nodes(placement):
        entries.append(Patch(label=label, **_ABSENCE))
    if entries:
        ax.legend(
            handles=entries, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0,
            frameon=False, fontsize="small", ncols=-(-len(entries) // _LEGEND_ROWS),
        )  # fmt: skip
