"""Plans, results and topologies as HTML without scripts, for light and dark notebooks."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np

from ..units import format_bytes, format_ids
from .device_table import device_rows, speed_rows
from .escaping import printable
from .palette import colour, ink
from .sampling import ABSENT, FAILED, Kinds, divide
from .svg import CELLS, strip_svg
from .topology_table import describe_node
from .views import ResultView, TopologyView

# Nobody reads a longer table.
_MOST_ROWS = 64

_BAR = "display:inline-block;height:.7em;background:currentColor;opacity:.45"
_HEAD = 'th scope="col"'
_LEFT = "text-align:left;padding:.1em .5em"
# A number stays on one line with its unit.
_RIGHT = "text-align:right;padding:.1em .5em;white-space:nowrap"


def flows_html(moved: Mapping[tuple[int, int], int], remarks: Sequence[str]) -> str:
    """Return a table of bytes from node to node, with only the largest flows if there are many."""
    flows = sorted(moved.items())
    if len(flows) > _MOST_ROWS:
        flows = sorted(flows, key=lambda flow: -flow[1])[:_MOST_ROWS]
    most = max((nbytes for _, nbytes in flows), default=1)
    rows = [
        [
            node_chip(source),
            node_chip(to),
            format_bytes(nbytes),
            _bar(nbytes / most) + (" in place" if source == to else ""),
        ]
        for (source, to), nbytes in flows
    ]
    below = [escape(remark) for remark in remarks]
    if left_out := len(moved) - len(flows):
        below.insert(0, f"and {left_out:,} smaller flows")
    return table_html(["from", "to", "bytes", ""], "llrl", rows) + f"<p>{'<br>'.join(below)}</p>"


def result_html(result: ResultView) -> str:
    """Return a strip of where the pages are, and a table of page counts by outcome."""
    there = "on their target" if result.already_there is None else "moved"
    counts = [(there, result.moved, ""), ("already there", result.already_there or 0, "")]
    counts += [
        (f"failed with {status.name}", pages, f"{status.meaning}: {status.remedy}")
        for status, pages in result.failures.items()
    ]
    counts.append(("not attempted", result.not_attempted - result.untargeted, ""))
    counts.append(("without a target", result.untargeted, "they stayed where they were"))
    rows = [
        [escape(what), f"{pages:,}", _bar(pages / result.pages), escape(why)]
        for what, pages, why in counts
        if pages
    ]
    table = table_html(["", "pages", f"of {result.pages:,}", ""], "lrll", rows)
    return _result_strip(result) + table


def _result_strip(result: ResultView) -> str:
    runs = result.runs
    if runs is None or not len(runs):
        return ""
    status, pages = runs["status"], runs["pages"]
    absent = (status == -errno.ENOENT) | (status == -errno.EFAULT)
    kinds = np.where(status >= 0, status, np.where(absent, ABSENT, FAILED)).astype(np.int32)
    # A move that was cut short reports only the pages it reached.
    if rest := result.pages - int(pages.sum()):
        pages, kinds = np.append(pages, rest), np.append(kinds, np.int32(FAILED))
    shares = divide(pages, kinds, CELLS)
    names = {ABSENT: "absent", FAILED: "failed or not attempted"}
    legend = {kind: names.get(kind, f"node {kind}") for kind in _nodes_first(shares.kinds)}
    return strip_svg("Where the pages were last seen", str(result), shares, legend)


def _nodes_first(kinds: Kinds) -> list[int]:
    return sorted(kinds.tolist(), key=lambda kind: (kind < 0, abs(kind)))


def topology_html(machine: TopologyView) -> str:
    """Return a table of the nodes with their free memory, and a table of their distances."""
    largest = max((node.memory_total for node in machine.nodes.values()), default=0) or 1
    rows = [
        [
            node_chip(node.id),
            escape(format_ids(node.cpus) or "-"),
            format_bytes(node.memory_total),
            format_bytes(node.memory_free),
            _used(node.memory_total, node.memory_free, largest),
            escape(describe_node(node)),
        ]
        for node in machine.nodes.values()
    ]
    found = table_html(["node", "CPUs", "memory", "free", "used", ""], "llrrll", rows)
    if len(machine.nodes) > 1:
        distances = [
            [node_chip(a), *(str(machine.distance(a, b)) for b in machine.nodes)]
            for a in machine.nodes
        ]
        found += table_html(
            ["distance", *map(node_chip, machine.nodes)], "l" + "r" * len(distances), distances
        )
    titles, speeds = speed_rows(machine.nodes)
    if titles:
        rows = [[node_chip(int(row[0])), *map(escape, row[1:])] for row in speeds]
        found += table_html(titles, "r" * len(titles), rows)
    devices = [
        ["?" if node is None else node_chip(node), escape(kind), escape(printable(names))]
        for node, kind, names in device_rows(machine.devices)
    ]
    return found + (table_html(["near", "kind", "devices"], "lll", devices) if devices else "")


def node_chip(node: int) -> str:
    """Return the number of a node on its colour."""
    back = colour(node)
    style = f"background:{back};color:{ink(back)};padding:0 .5em;border-radius:.3em"
    return f'<span style="{style}">{node}</span>'


def _bar(share: float) -> str:
    return f'<span style="{_BAR};width:{8 * share:.2f}em"></span>'


def _used(total: int, free: int, largest: int) -> str:
    """Return a box as wide as the node's memory is large, filled as far as the memory is used."""
    frame = "display:inline-block;line-height:0;border:1px solid;"
    width = 8 * total / largest
    used = f'<span style="{_BAR};width:{width * (1 - free / (total or 1)):.2f}em"></span>'
    return f'<span style="{frame}width:{width:.2f}em">{used}</span>' if total else ""


def table_html(heads: Iterable[str], sides: str, rows: Iterable[list[str]]) -> str:
    """Return a table of HTML cells; `sides` aligns each column left (l) or right (r)."""
    styles = [f'style="{_LEFT if side == "l" else _RIGHT}"' for side in sides]

    def line(tag: str, each: Iterable[str]) -> str:
        marked = zip(styles, each, strict=True)
        return "".join(f"<{tag} {style}>{cell}</{tag.split()[0]}>" for style, cell in marked)

    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    return f"<table><tr>{line(_HEAD, heads)}</tr>{body}</table>"
