"""Devices by node, and how fast memory is, as text and as rows of other tables."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from .escaping import printable
from .views import DeviceView, NodeView, TopologyView

# Nobody reads a longer list of names.
_MOST_NAMES = 16
_SPEEDS = ("node", "tier", "weight", "from", "read/write MB/s", "read/write ns")
_Key = tuple[int, str]


def device_rows(devices: Iterable[DeviceView]) -> list[tuple[int | None, str, str]]:
    """Return rows of a node, a kind and the names of its devices there.

    The names are not escaped. Virtual functions are counted, because a card may have hundreds.
    """
    names: dict[_Key, list[str]] = {}
    virtual: dict[_Key, int] = {}
    for device in devices:
        # A device without a known node comes last.
        key = (1 << 16 if device.node is None else device.node, device.kind)
        names.setdefault(key, [])
        if device.physical_function:
            virtual[key] = virtual.get(key, 0) + 1
        else:
            names[key].append(device.name)
    rows = []
    for key, found in sorted(names.items()):
        told = _joined(found)
        if len(told) > _MOST_NAMES:
            told = [*told[:_MOST_NAMES], f"and {len(told) - _MOST_NAMES} others"]
        if count := virtual.get(key):
            told.append(f"{count} virtual function{'s' if count > 1 else ''}")
        rows.append((None if key[0] == 1 << 16 else key[0], key[1], ", ".join(told)))
    return rows


def speed_rows(nodes: Mapping[int, NodeView]) -> tuple[list[str], list[list[str]]]:
    """Return titles and rows of what is known of the nodes' memory; none if nodes do not differ."""
    rows = []
    for node in nodes.values():
        way = node.from_cpus
        row = [str(node.id), _told(node.tier), _told(node.weight), "", "", ""]
        if way:
            row[3] = ",".join(map(str, way.initiators))
            row[4] = _pair(way.read_bandwidth, way.write_bandwidth)
            row[5] = _pair(way.read_latency, way.write_latency)
        rows.append(row)
    # Each machine has a tier, and each node a weight: where nodes are alike, that tells nothing.
    if len({tuple(row[1:]) for row in rows}) < 2:
        return [], []
    kept = [k for k in range(len(_SPEEDS)) if any(row[k] for row in rows)]
    return [_SPEEDS[k] for k in kept], [[row[k] for k in kept] for row in rows]


def speed_lines(machine: TopologyView) -> list[str]:
    """Return the table of speeds, tiers and weights; no lines if nothing is known."""
    titles, rows = speed_rows(machine.nodes)
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    return ["  ".join(map(str.rjust, row, widths)).rstrip() for row in [titles, *rows]]


def device_lines(machine: TopologyView, width: int) -> list[str]:
    """Return the devices by node, wrapped to a width."""
    rows = device_rows(machine.devices)
    if not rows:
        return []
    kinds = max(len(kind) for _, kind, _ in rows)
    lines = [f"near  {'kind':{kinds}}  devices"]
    for node, kind, names in rows:
        head = f"{_told(node) or '?':>4}  {kind:{kinds}}  "
        indent = " " * len(head)
        lines += textwrap.wrap(
            printable(names), width, initial_indent=head, subsequent_indent=indent
        )
    return lines


def _joined(names: list[str]) -> list[str]:
    """Join names of at least three numbers in a row: nvidia0-7."""
    found: list[list[Any]] = []
    for name in names:
        match = re.fullmatch(r"(.*?)([0-9]{1,9})", name, re.DOTALL)
        begin, number = (match[1], int(match[2])) if match else (name, -1)
        last = found[-1] if found else None
        if last and match and last[0] == begin and last[2] == number - 1 >= 0:
            last[2] = number
        else:
            found.append([begin, number, number, name])
    joined: list[str] = []
    for begin, first, end, name in found:
        if end - first > 1:
            joined.append(f"{name}-{end}")
        else:
            joined += [name] + [f"{begin}{end}"] * (end > first)
    return joined


def _told(value: int | None) -> str:
    return "" if value is None else str(value)


def _pair(read: int | None, write: int | None) -> str:
    return f"{read or '?'}/{write or '?'}" if read or write else ""
