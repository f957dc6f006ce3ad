"""Plots of the members of an object with matplotlib: a bar each, divided among the nodes."""

from __future__ import annotations

from collections.abc import Mapping

from ..units import format_bytes
from .mpl_axes import Axes, BinaryLocator, FuncFormatter, new_axes, say
from .palette import PALE, colour
from .views import PlacementView


def plot_members(members: Mapping[str, PlacementView], ax: Axes | None) -> Axes:
    """Draw one horizontal bar for each member, the first at the top."""
    if ax is None:
        ax = new_axes(8.0, min(1.3 + 0.32 * len(members), 12.0))
    if not members:
        say(ax, "no members")
        return ax
    for node in sorted({node for each in members.values() for node in each.bytes_per_node}):
        parts = [each.bytes_per_node.get(node, 0) for each in members.values()]
        before = [
            sum(n for other, n in each.bytes_per_node.items() if other < node)
            for each in members.values()
        ]
        ax.barh(range(len(members)), parts, left=before, color=colour(node), label=f"node {node}")
    rest = [each.nbytes - sum(each.bytes_per_node.values()) for each in members.values()]
    if any(rest):
        placed = [sum(each.bytes_per_node.values()) for each in members.values()]
        ax.barh(range(len(members)), rest, left=placed, color=PALE, label="absent or not known")
    ax.set_yticks(range(len(members)), [name.replace("$", r"\$") for name in members])
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter(FuncFormatter(lambda nbytes, _: format_bytes(int(nbytes))))
    ax.xaxis.set_major_locator(BinaryLocator())
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return ax
