"""Report the results as a markdown table, as JSON and, with matplotlib, as a picture."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import movepages as mp
from harness.contest import Line, Row, Skip
from harness.growth import Curve


def machine() -> dict[str, object]:
    """Return the facts about this machine that the figures depend on."""
    return {
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "nodes": len(mp.topology().allowed_nodes),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "movepages": mp.__version__,
    }


def figure(value: float) -> str:
    """Return a number with three significant digits, and all digits before the point."""
    digits = 2 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 5)}f}"


def cells(row: Row) -> list[str]:
    bound = f"{row.bound.relation} {row.bound.limit:g} {row.unit}" if row.bound else ""
    holds = {True: "yes", False: "**NO**", None: ""}[row.holds]
    value = f"{row.value:.3f}" if 0.5 < row.value < 2 else figure(row.value)
    return [row.name, f"{value} {row.unit}", bound, holds, row.detail]


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return a markdown table with aligned columns, readable as plain text."""
    wide = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, wide)) + " |" for row in (head, *rows)]
    return [lines[0], "|" + "|".join("-" * (n + 2) for n in wide) + "|", *lines[1:]]


def markdown(lines: list[Line], curves: list[Curve], rounds: int) -> str:
    about = ", ".join(f"{name} {value}" for name, value in machine().items())
    text = [f"Median of {rounds} rounds, in which the contenders take turns ({about})."]
    rows = [cells(each) for each in lines if isinstance(each, Row)]
    if rows:
        text += ["", "`a / b` is the time of a over the time of b in the same round.", ""]
        text += table(["", "measured", "bound", "holds", "by"], rows)
    for over in ("pages", "threads"):
        some = [curve for curve in curves if curve.over == over]
        if some:
            columns = zip(some[0].at, *(curve.ns_per_page for curve in some), strict=True)
            body = [[f"{n:,}", *map(figure, ns)] for n, *ns in columns]
            text += ["", *table([over, *(f"{curve.name}, ns per page" for curve in some)], body)]
        if some and some[0].repeated:
            text += [
                "",
                f"From {some[0].repeated[0]:,} pages on, memory is too small for all pages: ",
            ]
            text[-1] += "the same memory is mapped repeatedly."
    skipped = [each for each in lines if isinstance(each, Skip)]
    if skipped:
        text += ["", "Not measured here:", ""]
        text += [f"- {each.name}: {each.why}." for each in skipped]
    return "\n".join(text)


def as_json(lines: list[Line], curves: list[Curve]) -> dict[str, object]:
    return {
        "machine": machine(),
        "rows": [asdict(each) | {"holds": each.holds} for each in lines if isinstance(each, Row)],
        "skipped": [asdict(each) for each in lines if isinstance(each, Skip)],
        "growth": [asdict(curve) for curve in curves],
    }


def write(folder: Path, name: str, text: str, told: object, draw: Callable[[], Any]) -> None:
    """Write the files, and print where they are and whether there is a picture."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text + "\n")
    (folder / f"{name}.json").write_text(json.dumps(told, indent=2) + "\n")
    try:
        drawn = draw()
    except ImportError as error:
        print(f"\nNo picture was drawn: {error}; pip install matplotlib")
        return
    for suffix in ("svg", "png"):
        drawn.savefig(folder / f"{name}.{suffix}", dpi=150, bbox_inches="tight")
    print(f"\nWritten to {folder}: {name}.md, {name}.json, {name}.svg, {name}.png")


def draw(lines: list[Line], curves: list[Curve]) -> Any:
    """Draw the curves if there are some, else the ratios."""
    from harness import plot

    rows = [each for each in lines if isinstance(each, Row) and each.unit == "x"]
    return plot.growth(curves) if curves else plot.ratios(rows)
