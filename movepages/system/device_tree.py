"""Directories of devices in sysfs: their PCI function, their node, and what a virtual one is of."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from .refusals import Refusal
from .sysfs import MissingFileError, is_directory, malformed, names_in, read

_PCI = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")


def real(path: Path) -> Path:
    """Return the directory of a device that a link in sysfs leads to."""
    with Refusal():
        # These links never lead to other links, so there is no need to look at each part.
        return Path(os.path.normpath(os.path.join(path.parent, os.readlink(path))))
    return path


def pci_function(directory: Path) -> Path | None:
    """Return the directory of the PCI function that a device belongs to, if any."""
    return next((each for each in _upwards(directory) if _PCI.fullmatch(each.name)), None)


def link_name(path: Path) -> str:
    """Return the last part of what a link leads to; "" if there is no such link."""
    with Refusal():
        return os.path.basename(os.readlink(path))
    return ""


def numa_node(directory: Path) -> int | None:
    """Return the node of a device: -1 if the platform does not tell, None without hardware.

    Notes
    -----
    Source: ``numa_node_show`` in drivers/pci/pci-sysfs.c and in other drivers. A driver's own file
    may hold a node that the driver chose, so that of the PCI function comes first.
    """
    function = pci_function(directory)
    for each in [function] if function else _upwards(directory):
        try:
            text = read(each / "numa_node")
        except MissingFileError:
            continue
        if not re.fullmatch(r"-?[0-9]+\s*", text):
            raise malformed(each / "numa_node", text, "one number")
        return max(int(text), -1)
    # A kernel without CONFIG_NUMA has no such file; a device that was unplugged has no directory.
    return -1 if function and is_directory(function) else None


def parts_of(directory: Path) -> list[Path]:
    """Return the devices below a virtual one: a RAID, a volume, a bond, a bridge, a VLAN.

    Notes
    -----
    An NVMe disk with several paths lies below its subsystem, which links its controllers.
    """
    for each in _upwards(directory):
        names = names_in(each)
        if "slaves" in names:
            links = [each / "slaves" / name for name in names_in(each / "slaves")]
        elif each.name.startswith("nvme-subsys"):
            links = [each / name for name in names if re.fullmatch("nvme[0-9]+", name)]
        else:
            links = [each / name for name in names if name.startswith("lower_")]
        if links:
            return [real(link) for link in links]
    return []


def _upwards(directory: Path) -> Iterator[Path]:
    for each in (directory, *directory.parents):
        if each.name in ("devices", "virtual", ""):
            return
        yield each
