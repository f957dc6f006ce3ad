"""How much memory the control groups of this process leave to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from .sysfs import TopologyError, read

_ROOT = Path("/")


def cgroup_room(root: Path = _ROOT) -> int | None:
    """Return the bytes that the least of the limits leaves; None without a limit of cgroup v2.

    Clean file pages do not count, because the kernel drops them first.

    Notes
    -----
    Source: Documentation/admin-guide/cgroup-v2.rst.
    """
    return min(_rooms(root), default=None)


def _rooms(root: Path) -> Iterator[int]:
    try:
        found = re.search(r"^0::/(.*)$", read(root / "proc/self/cgroup"), re.MULTILINE)
    except TopologyError:
        return
    top = root / "sys/fs/cgroup"
    group = top / (found[1] if found and ".." not in found[1].split("/") else "")
    for directory in (group, *group.parents):
        try:
            limit = read(directory / "memory.max").strip()
            used, statistics = read(directory / "memory.current"), read(directory / "memory.stat")
        except TopologyError:
            limit = "max"
        if limit != "max":
            files = re.search(r"^inactive_file ([0-9]+)$", statistics, re.MULTILINE)
            yield max(int(limit) - int(used) + (int(files[1]) if files else 0), 0)
        if directory == top:
            return
