"""What firmware and kernel say of each node's memory: speed, tier and interleave weight."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .sysfs import MissingFileError, malformed, names_in, read, read_count, read_ids

# 0: of all initiators, such as GPUs; 1: of nodes with CPUs.
_CLASSES = (0, 1)
# The folder of the kernel's interleave weights, in sysfs.
WEIGHTS = Path("kernel/mm/mempolicy/weighted_interleave")
_NODE = re.compile(r"node([0-9]+)")
_TIER = re.compile(r"memory_tier([0-9]+)")
_FIGURES = ("read_bandwidth", "write_bandwidth", "read_latency", "write_latency")


class Access(NamedTuple):
    """How fast the nearest nodes reach some memory, as the firmware reports it (HMAT or CDAT).

    Attributes
    ----------
    initiators : tuple of int
        The nodes that reach it with these figures, which are the best ones.
    read_bandwidth, write_bandwidth : int or None
        MB/s, as the kernel reports them; None if the firmware does not report them.
    read_latency, write_latency : int or None
        Nanoseconds.
    """

    initiators: tuple[int, ...]
    read_bandwidth: int | None
    write_bandwidth: int | None
    read_latency: int | None
    write_latency: int | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`."""
        return self._asdict() | {"initiators": list(self.initiators)}


def read_access(directory: Path) -> Iterator[tuple[int, Access]]:
    """Yield the access classes in the directory of a node, with what they say.

    Notes
    -----
    Source: Documentation/admin-guide/mm/numaperf.rst, ``node_init_node_access`` in
    drivers/base/node.c.
    """
    # A node's directory may have thousands of entries, so it is not listed.
    for number in _CLASSES:
        initiators = directory / f"access{number}" / "initiators"
        nodes = tuple(node for node, _ in _numbered(_NODE, initiators))
        if nodes:
            yield number, Access(nodes, *(_figure(initiators / each) for each in _FIGURES))


def read_tiers(root: Path) -> Mapping[int, int]:
    """Return the memory tier of each node that has one; a smaller number is faster memory.

    Notes
    -----
    Source: Documentation/ABI/testing/sysfs-kernel-mm-memory-tiers.
    """
    base = root / "devices/virtual/memory_tiering"
    tiers = ((tier, base / name / "nodelist") for tier, name in _numbered(_TIER, base))
    return {node: tier for tier, path in tiers for node in read_ids(path)}


def read_weights(root: Path) -> tuple[Mapping[int, int], bool | None]:
    """Return the kernel's interleave weight of each node, and whether it computes them.

    Notes
    -----
    The second value is None before Linux 6.16, where weights are 1 unless somebody sets others.
    Source: Documentation/ABI/testing/sysfs-kernel-mm-mempolicy-weighted-interleave.
    """
    base = root / WEIGHTS
    weights = {node: read_count(base / name) for node, name in _numbered(_NODE, base)}
    if not weights:
        return {}, None
    try:
        text = read(base / "auto")
    except MissingFileError:
        return weights, None
    if text.strip() not in ("true", "false"):
        raise malformed(base / "auto", text, "'true' or 'false'")
    return weights, text.strip() == "true"


def _figure(path: Path) -> int | None:
    # The kernel prints 0 where firmware does not tell.
    try:
        return read_count(path) or None
    except MissingFileError:
        return None


def _numbered(pattern: re.Pattern[str], directory: Path) -> list[tuple[int, str]]:
    found = filter(None, map(pattern.fullmatch, names_in(directory)))
    return sorted((int(match[1]), match[0]) for match in found)
