"""Report how calls, memory and time grow on a model of the kernel: table, JSON and picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness import report, scaling
from harness.scaling import Point

Found = dict[str, list[Point]]

ABOUT = """\
Counted on a model of the kernel, with the clock of the model. Calls are of move_pages(2) and scans
of page tables. Scratch is the most memory at once, of Python and C++, the result included.
`x10` is the largest factor by which the time grows when the pages grow tenfold, from
1,000,000 on."""

HEAD = ("", "pages", "calls", "that move", "entries", "time, s", "longest, ms", "scratch, MiB")
PANELS: dict[str, Callable[[Point], float]] = {
    "calls of the kernel": lambda point: point.calls,
    "scratch memory, MiB": lambda point: point.scratch_bytes / 2**20,
    "time by the model's clock, s": lambda point: point.seconds,
}


def row(name: str, points: list[Point]) -> list[str]:
    last = points[-1]
    counts = [f"{n:,}" for n in (last.pages, last.calls, last.moving_calls, last.entries)]
    figures = (last.seconds, 1e3 * last.longest, last.scratch_bytes / 2**20)
    rest = f"{last.runs:,}", f"{scaling.growth(points):.1f}"
    return [name, *counts, *map(report.figure, figures), *rest]


def text(found: Found) -> str:
    body = [row(name, points) for name, points in found.items()]
    return "\n".join([ABOUT, "", *report.table([*HEAD, "runs", "x10"], body)])


def styles(names: list[str]) -> dict[str, dict[str, Any]]:
    """Return how to draw each series: shades of red for CPUs, of blue for nodes, grey for holes."""
    import matplotlib as mpl

    found: dict[str, dict[str, Any]] = {}
    for shades, mark in (
        ("Greys", "holes"),
        ("Blues", "in turn"),
        ("Reds", "CPUs"),
        ("Greens", ""),
    ):
        some = [name for name in names if mark in name and name not in found]
        for number, name in enumerate(some):
            shade = mpl.colormaps[shades](0.4 + 0.6 * (number + 1) / len(some))
            style = {"w": ":", "p": "--", "m": "-"}[name[0]]
            found[name] = {"color": shade, "linestyle": style, "marker": ".", "markersize": 4}
    return found


def draw(found: Found) -> Any:
    """Draw the panels for huge pages, and below them those for small pages."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Text as text takes a third of the room of its outlines.
    mpl.rcParams["svg.fonttype"] = "none"
    drawn = Figure(figsize=(9.5, 8))
    rows = drawn.subplots(2, len(PANELS), sharex=True)
    for axes_of_row, kind in zip(rows, ("huge", "small"), strict=True):
        shown = [name for name in found if kind in name or "holes" in name]
        for axes, (title, value) in zip(axes_of_row, PANELS.items(), strict=True):
            for name, style in sorted(styles(shown).items(), key=lambda item: shown.index(item[0])):
                at = [point.pages for point in found[name]]
                label = name.replace(f", {kind} pages", "")
                axes.plot(at, [*map(value, found[name])], label=label, **style)
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_title(f"{kind} pages:\n{title}", fontsize=10, loc="left")
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(alpha=0.3)
            if kind == "small":
                axes.set_xlabel("pages of 4 KiB")
    drawn.tight_layout()
    # The labels of both rows are the same.
    drawn.legend(
        *axes.get_legend_handles_labels(), ncols=2, loc="upper center", bbox_to_anchor=(0.5, 0),
        frameon=False,
    )  # fmt: skip
    return drawn


def run(most: int, output: Path | None) -> None:
    """Measure, print the table and, with `output`, write all of it there."""
    found = scaling.measure(most)
    printed = text(found)
    print(printed)
    if output:
        told = {name: [asdict(point) for point in points] for name, points in found.items()}
        report.write(output, "scaling", printed, told, lambda: draw(found))
