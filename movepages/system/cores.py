"""The cores of CPUs, from sysfs: those that share a core have one set of arithmetic units."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from .sysfs import TopologyError, read

_CPUS = Path("/sys/devices/system/cpu")


def count_cores(cpus: Iterable[int], directory: Path = _CPUS) -> int:
    """Return on how many cores some CPUs are; a CPU of which nothing is told is a core.

    Notes
    -----
    Source: Documentation/ABI/testing/sysfs-devices-system-cpu.
    """
    cores = set()
    for cpu in cpus:
        with contextlib.suppress(TopologyError):
            cores.add(read(directory / f"cpu{cpu}" / "topology/thread_siblings_list").strip())
            continue
        cores.add(f"{cpu}")
    return len(cores)
