"""Measured bandwidths with matplotlib: a heat map."""

from __future__ import annotations

from .bandwidth_table import UNITS, BandwidthView, figure
from .mpl_axes import Axes, new_axes, to_hex
from .palette import ink

# Figures are written into the cells of a map with at most this many columns.
_MOST_WRITTEN = 16


def plot_bandwidth(found: BandwidthView, what: str, ax: Axes | None) -> Axes:
    """Draw one array, as `Bandwidth.plot` describes; dark cells are slow in every map."""
    rows, columns = found.cpu_nodes, found.memory_nodes
    if ax is None:
        ax = new_axes(min(2.4 + 0.8 * len(columns), 10.0), min(1.6 + 0.6 * len(rows), 8.0))
    figures = getattr(found, what)
    # From 0 on, so that small differences stay small; a long latency is slow.
    image = ax.imshow(
        figures, "viridis_r" if what == "latency" else "viridis", vmin=0, aspect="auto"
    )
    ax.set_title(f"{what}, {UNITS[what]}", loc="left", fontsize="medium")
    ax.set_xticks(range(len(columns)), [str(node) for node in columns])
    ax.set_yticks(range(len(rows)), [str(node) for node in rows])
    ax.set_xlabel("node of the memory")
    ax.set_ylabel("node of the CPUs")
    if len(columns) <= _MOST_WRITTEN:
        for (y, x), value in ((at, figures[at]) for at in _cells(len(rows), len(columns))):
            red, green, blue, _ = image.to_rgba(value)
            front = ink(to_hex((red, green, blue)))
            ax.text(x, y, figure(value), ha="center", va="center", color=front)
    return ax


def _cells(rows: int, columns: int) -> list[tuple[int, int]]:
    return [(y, x) for y in range(rows) for x in range(columns)]
