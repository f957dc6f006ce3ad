"""The caches of CPUs, from sysfs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .sysfs import KIB, TopologyError, names_in, read, read_count

_CPUS = Path("/sys/devices/system/cpu")
_UNITS = {"K": KIB, "M": KIB**2, "G": KIB**3, "": 1}


class Caches(NamedTuple):
    """The last-level caches of some CPUs, in bytes.

    The defaults stand for a machine that does not tell, as some virtual machines.
    """

    total: int = 32 << 20
    largest: int = 32 << 20
    line: int = 64


def last_level_caches(cpus: Iterable[int], directory: Path = _CPUS) -> Caches:
    """Return the sizes of the last-level caches of some CPUs, each cache counted once.

    Notes
    -----
    Source: Documentation/ABI/testing/sysfs-devices-system-cpu.
    """
    found: dict[tuple[int, str], tuple[int, int]] = {}
    try:
        for cpu in cpus:
            last = max(_data_caches(directory / f"cpu{cpu}" / "cache"), default=None)
            if last is not None:
                level, shared, size, line = last
                found[level, shared] = size, line
    except (TopologyError, ValueError):
        return Caches()
    sizes = [size for size, _ in found.values()]
    if not any(sizes):
        return Caches()
    return Caches(sum(sizes), max(sizes), max(line for _, line in found.values()))


def _data_caches(directory: Path) -> Iterable[tuple[int, str, int, int]]:
    """Yield level, CPUs that share it, size and line size of each cache for data."""
    for name in names_in(directory):
        cache = directory / name
        if name.startswith("index") and read(cache / "type").strip() != "Instruction":
            shared = read(cache / "shared_cpu_list").strip()
            line = read_count(cache / "coherency_line_size")
            yield read_count(cache / "level"), shared, _as_bytes(read(cache / "size")), line


def _as_bytes(text: str) -> int:
    match = re.fullmatch(r"([0-9]+)([KMG]?)\s*", text)
    if match is None:
        raise ValueError(f"expected a size such as 32768K, got {text!r}")
    return int(match[1]) * _UNITS[match[2]]
