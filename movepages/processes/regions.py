"""The mappings of a process: what they are for, by which policy, and how much is on each node."""

from __future__ import annotations

import os
import re
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..query.procfs import read_process
from ..system.maps import parse_lines
from ..system.numa_maps import mapmax_of, memory_of

Regions: TypeAlias = "npt.NDArray[np.void]"

# The names of two modes contain a space.
_POLICY = re.compile(rb"[0-9a-f]+ ((?:prefer \(many\)|weighted interleave|[^ :]+)(?::[^ ]+)?)")
_TRIES = 4


def regions_of(pid: int, nodes: tuple[int, ...]) -> Regions:
    """Return the current mappings of a process, with a column of bytes for each of `nodes`."""
    for _ in range(_TRIES):
        before = parse_lines(read_process(pid, "maps"))
        numa = read_process(pid, "numa_maps")
        lines = parse_lines(read_process(pid, "maps"))
        # Ignore the end, so that a growing heap counts as the same mapping.
        steady = {mapping._replace(end=0) for mapping in before}
        if steady.issuperset(mapping._replace(end=0) for mapping in lines):
            break
    found = np.zeros(len(lines), _dtype(nodes))
    placed = {int(line.split(b" ", 1)[0], 16): line for line in numa.split(b"\n")[:-1]}
    column = {node: index for index, node in enumerate(nodes)}
    for row, mapping in zip(found, lines, strict=True):
        row["address"], row["nbytes"] = mapping.start, mapping.end - mapping.start
        row["permissions"] = mapping.permissions.decode()
        row["name"] = os.fsdecode(mapping.name)
        same = mapping._replace(end=0) in steady
        line = placed.get(mapping.start, b"") if same else b""
        policy = _POLICY.match(line)
        row["policy"] = policy[1].decode() if policy else ""
        row["page_size"], held = memory_of(line)
        row["mapmax"] = mapmax_of(line)
        for node, pages in held.items():
            if node in column:
                row["bytes"][column[node]] = pages * row["page_size"]
        # The mapping shrank after its pages were counted.
        if row["bytes"].sum() > row["nbytes"]:
            row["bytes"], row["policy"], row["page_size"], row["mapmax"] = 0, "", 0, 0
    return found


def _dtype(nodes: tuple[int, ...]) -> np.dtype[np.void]:
    return np.dtype(
        [
            ("address", np.uintp),
            ("nbytes", np.int64),
            ("permissions", "U4"),
            ("name", object),
            ("policy", object),
            ("page_size", np.int64),
            ("mapmax", np.int64),
            ("bytes", np.int64, (len(nodes),)),
        ]
    )
