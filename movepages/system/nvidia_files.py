"""NVIDIA's GPUs as its driver lists them in /proc."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from .sysfs import TopologyError, names_in, read


class Gpu(NamedTuple):
    """A GPU: its PCI address, its UUID, the number of /dev/nvidiaN, and its model."""

    pci: str
    uuid: str
    minor: int | None
    model: str


def read_gpus(proc: Path) -> list[Gpu]:
    """Return the GPUs in the order of their PCI addresses; none without NVIDIA's driver."""
    base = proc / "driver/nvidia/gpus"
    try:
        return [_read(base / name / "information") for name in names_in(base)]
    except TopologyError:
        return []


def _read(path: Path) -> Gpu:
    told = dict(re.findall(r"^([^:\n]+):[ \t]*(.*?)[ \t]*$", read(path), re.MULTILINE))
    minor = told.get("Device Minor", "")
    return Gpu(
        path.parent.name.lower(),
        told.get("GPU UUID", ""),
        int(minor) if minor.isdecimal() else None,
        told.get("Model", ""),
    )
