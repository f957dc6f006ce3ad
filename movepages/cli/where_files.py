"""Show the nodes that hold the pages of files in the page cache."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import movepages as mp

from ..system.refusals import Refusal
from ..units import format_bytes
from .failures import complain
from .json_output import print_json
from .subjects import Files
from .terminal import Cell, bar, printable, room_beside, say, show

_BAR, _LEAST_BAR = 24, 8
_MOST_ROWS = 40

Found: TypeAlias = "mp.Placement | mp.Placements"


@dataclass
class Row:
    """Memory of a file, of a tensor of it, or of all files; `unknown` is on nodes not known."""

    name: str
    nbytes: int = 0
    absent: int = 0
    unknown: int = 0
    nodes: Counter[int] = field(default_factory=Counter)
    tensors: list[Row] = field(default_factory=list)

    def add(self, other: Row) -> None:
        """Add the memory of another row."""
        self.nbytes += other.nbytes
        self.absent += other.absent
        self.unknown += other.unknown
        self.nodes.update(other.nodes)

    def data(self) -> dict[str, Any]:
        """Return the row as a JSON object, without its name."""
        nodes = {str(node): n for node, n in sorted(self.nodes.items()) if n}
        counts = {"nbytes": self.nbytes, "absent": self.absent, "unknown": self.unknown}
        return {"bytes_per_node": nodes} | counts


def memory_of_file(path: str, options: argparse.Namespace, *, read: bool = False) -> Any:
    """Return the memory of a file in the page cache: one array, or its tensors by name."""
    if not (options.tensors or options.tensor):
        return mp.page_cache(path, read=read)
    tensors = mp.cached_tensors(path, read=read)
    parts = options.tensor or [""]
    chosen = {name: each for name, each in tensors.items() if any(part in name for part in parts)}
    if options.tensor and not chosen:
        raise ValueError(f"no tensor has {' or '.join(map(repr, parts))} in its name")
    return chosen


def row_of(path: str, memory: Any) -> Row:
    """Return where the memory of a file is."""
    if isinstance(memory, dict) and not memory:
        return Row(path)
    found = mp.where(memory)
    row = _row(path, found)
    if isinstance(found, mp.Placements):
        row.tensors = [_row(name, each) for name, each in found.items()]
    return row


def run(options: argparse.Namespace) -> int:
    """Print where the pages of files are, and return the exit status."""
    files = Files(options.subjects)
    rows: list[Row] = []
    for path in files:
        with Refusal(mp.MovePagesError, ValueError) as refusal:
            rows.append(row_of(path, memory_of_file(path, options)))
        if refusal.error:
            files.problems.append(problem_of(path, refusal))
    if options.json:
        nodes = list(mp.topology().memory_nodes)
        data = {"nodes": nodes, "files": data_of(rows), "problems": files.problems}
        print_json("where", data | _total(rows).data())
    else:
        draw(rows)
    for problem in files.problems:
        complain(printable(problem))
    return 1 if files.problems else 0


def problem_of(path: str, refusal: Refusal) -> str:
    """Return why a file was left out."""
    told = getattr(refusal.error, "strerror", None) or str(refusal.error)
    return f"{path}: {told.removeprefix(f'file: {path!r} is ')}"


def data_of(rows: list[Row]) -> list[dict[str, Any]]:
    """Return files as JSON objects."""
    return [
        {"file": row.name}
        | row.data()
        | ({"tensors": [{"name": t.name} | t.data() for t in row.tensors]} if row.tensors else {})
        for row in rows
    ]


def draw(rows: list[Row]) -> None:
    """Print a row for each file or tensor, and one for all."""
    if not rows:
        return
    nodes = [node for node, n in sorted(_total(rows).nodes.items()) if n]
    hides = any(row.unknown for row in rows)
    titles = ["", "size", *(f"node {node}" for node in nodes), "not in memory"]
    titles += ["not known"] * hides
    parts = [part for row in rows for part in ([row, *row.tensors] if row.tensors else [row])]
    shown = [*parts[:_MOST_ROWS], _total(rows)] if len(parts) > 1 else parts
    table = [_cells(row, nodes, is_part=row not in rows, hides=hides) for row in shown]
    if len(parts) > 1:
        table[-1][0] = "total"
    room = room_beside(titles, table)
    if room < _LEAST_BAR:
        show(titles, table)
    else:
        bars = [bar(sorted(row.nodes.items()), row.nodes.total(), min(_BAR, room)) for row in shown]
        drawn: list[list[Cell]] = [[*row, each] for row, each in zip(table, bars, strict=True)]
        show([*titles, "shares"], drawn, left=(0, len(titles)))
    if len(parts) > _MOST_ROWS:
        say(f"and {len(parts) - _MOST_ROWS:,} more; --json lists all")


def _cells(row: Row, nodes: list[int], *, is_part: bool, hides: bool) -> list[str]:
    counts = [row.nbytes, *(row.nodes[node] for node in nodes), row.absent]
    counts += [row.unknown] * hides
    name = printable(row.name)
    return [f"  {name}" if is_part else name, *(format_bytes(n) if n else "-" for n in counts)]


def _row(name: str, found: Found) -> Row:
    whole = found.total if isinstance(found, mp.Placements) else found
    nodes = Counter(whole.bytes_per_node)
    return Row(name, whole.nbytes, whole.absent_bytes, whole.hidden_bytes, nodes)


def _total(rows: list[Row]) -> Row:
    total = Row("total")
    for row in rows:
        total.add(row)
    return total
