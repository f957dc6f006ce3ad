"""Plots of plans with matplotlib: bands from node to node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from ..units import format_bytes
from .mpl_axes import Axes, Path, PathPatch, Rectangle, new_axes, say
from .palette import colour, ink

# Sum of the gaps between nodes, as a fraction of the axes' height.
_GAPS = 0.2
# Width of a node's bar, as a fraction of the axes' width.
_BAR = 0.05
# Least fraction of all bytes for which a band has room for its size, and a bar for its node.
_NAMED_BAND = 0.06
_NAMED_BAR = 0.015
# A smaller bar has a label beside it if gaps are at least this fraction of the axes' height.
_NAMED_GAP = 0.04


_Flows: TypeAlias = Mapping[tuple[int, int], int]


class _Band(NamedTuple):
    """A flow, drawn as a band of height `size` from height `left` to height `right`."""

    source: int
    to: int
    nbytes: int
    left: float
    right: float
    size: float


def plot_flows(flows: _Flows, remarks: Sequence[str], ax: Axes | None) -> Axes:
    """Draw the bytes from node to node, as `Plan.plot` describes."""
    sources, targets = (sorted({pair[side] for pair in flows}) for side in (0, 1))
    if ax is None:
        ax = new_axes(6.4, min(2.4 + 0.35 * max(len(sources), len(targets)), 8.0))
    ax.set_title("\n".join(remarks), loc="left", fontsize="medium", wrap=True)
    total = sum(flows.values())
    if not total:
        say(ax, "no page has both a node and a target")
        return ax
    left, right = _places(flows, 0, total), _places(flows, 1, total)
    for (source, to), nbytes in flows.items():
        height = nbytes / total * (1 - _GAPS)
        _draw_band(
            ax, _Band(source, to, nbytes, left[source, to], right[source, to], height), total
        )
    for side, nodes, places, x in ((0, sources, left, 0.0), (1, targets, right, 1 - _BAR)):
        for node in nodes:
            _draw_node(
                ax,
                node,
                side,
                x,
                [places[p] for p in flows if p[side] == node],
                sum(n for p, n in flows.items() if p[side] == node),
                total,
                may_name=_gap(len(nodes)) >= _NAMED_GAP,
            )
    ax.text(0, -0.02, "from node", va="bottom", ha="left", fontsize="small")
    ax.text(1, -0.02, "to node", va="bottom", ha="right", fontsize="small")
    ax.set_xlim(-0.2, 1.2)
    ax.set_ylim(1.01, -0.08)
    ax.set_axis_off()
    return ax


def _gap(nodes: int) -> float:
    return _GAPS / max(nodes - 1, 1)


def _places(flows: _Flows, side: int, total: int) -> dict[tuple[int, int], float]:
    """Return the height at which each flow begins, ordered by the node on this side."""
    nodes = sorted({pair[side] for pair in flows})
    gap = _gap(len(nodes))
    found, at = {}, 0.0 if len(nodes) > 1 else _GAPS / 2
    for node in nodes:
        for pair in sorted((p for p in flows if p[side] == node), key=lambda p: p[1 - side]):
            found[pair] = at
            at += flows[pair] / total * (1 - _GAPS)
        at += gap
    return found


def _draw_band(ax: Axes, band: _Band, total: int) -> None:
    middle, start, end = 0.5, _BAR, 1 - _BAR
    points = [
        (start, band.left), (middle, band.left), (middle, band.right), (end, band.right),
        (end, band.right + band.size), (middle, band.right + band.size),
        (middle, band.left + band.size), (start, band.left + band.size), (start, band.left),
    ]  # fmt: skip
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    stays = band.source == band.to
    ax.add_patch(
        PathPatch(
            Path(points, codes), color=colour(band.source), alpha=0.25 if stays else 0.55,
            linewidth=0.8, label=f"{band.source} to {band.to}: {format_bytes(band.nbytes)}",
        )
    )  # fmt: skip
    if band.nbytes >= _NAMED_BAND * total:
        what = format_bytes(band.nbytes) + (" in place" if stays else f" to {band.to}")
        ax.text(start + 0.02, band.left + band.size / 2, what, va="center", fontsize="small")


def _draw_node(
    ax: Axes,
    node: int,
    side: int,
    x: float,
    places: list[float],
    nbytes: int,
    total: int,
    *,
    may_name: bool,
) -> None:
    height, top = nbytes / total * (1 - _GAPS), min(places)
    back = colour(node)
    fits = nbytes >= _NAMED_BAR * total
    # An edge keeps a very thin bar visible.
    edge = {"linewidth": 0} if fits else {"linewidth": 0.8, "edgecolor": back}
    ax.add_patch(Rectangle((x, top), _BAR, height, facecolor=back, **edge))
    middle, beside = top + height / 2, format_bytes(nbytes)
    if fits:
        ax.text(x + _BAR / 2, middle, str(node), ha="center", va="center", color=ink(back),
                fontsize="small")  # fmt: skip
    elif may_name:
        beside = f"{node}: {beside}"
    else:
        return
    at, align = ((-0.02, "right"), (1.02, "left"))[side]
    ax.text(at, middle, beside, ha=align, va="center", fontsize="small")
