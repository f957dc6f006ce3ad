"""Draw the pictures: ratios with their bounds, and how the cost grows. Needs matplotlib."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from harness.contest import Row
from harness.growth import Curve

COLOURS = {True: "tab:green", False: "tab:red", None: "tab:blue"}


def ratios(rows: list[Row]) -> Figure:
    """Draw each ratio as a bar from 1 on a logarithmic scale, with its bound as a mark."""
    drawn = Figure(figsize=(10, 1.2 + 0.42 * len(rows)))
    axes = drawn.subplots()
    for place, row in enumerate(rows):
        axes.barh(place, row.value - 1, left=1, height=0.6, color=COLOURS[row.holds])
        axes.annotate(
            f"{row.value:.3g} x", (max(row.value, 1), place), (4, 0),
            textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
        if row.bound:
            axes.plot([row.bound.limit] * 2, [place - 0.4, place + 0.4], color="black", lw=2)
    axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.axvline(1, color="grey", lw=0.8)
    axes.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} x"))
    axes.set_xlabel("ratio; black: bound, green: bound holds, red: bound is broken, blue: no bound")
    axes.spines[["top", "right"]].set_visible(False)
    return drawn


def growth(curves: list[Curve]) -> Figure:
    """Draw nanoseconds per page, over the number of pages and of threads."""
    drawn = Figure(figsize=(10, 4))
    for axes, over in zip(drawn.subplots(1, 2), ("pages", "threads"), strict=True):
        here = [curve for curve in curves if curve.over == over]
        for curve in here:
            axes.plot(curve.at, curve.ns_per_page, "o-", label=curve.name)
        axes.set_xlabel(over)
        axes.set_ylabel("ns per page")
        if over == "pages":
            axes.set_xscale("log")
            axes.set_yscale("log")
        else:
            axes.set_ylim(0, 1.2 * max(max(each.ns_per_page) for each in here))
            axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    drawn.tight_layout()
    return drawn
