"""Devices of a machine, and the node that each is near."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .device_tree import link_name, numa_node, parts_of, pci_function, real
from .nvidia_files import read_gpus
from .sysfs import TopologyError, names_in

# Classes of sysfs in which a name is looked for.
CLASSES = {
    "net": "network",
    "block": "block",
    "infiniband": "infiniband",
    "drm": "gpu",
    "accel": "accelerator",
    "nvme": "block",
    "infiniband_verbs": "infiniband",
}
# Of them, those that are listed, and which of their names. Outputs of a card ("card0-DP-1"), and
# paths of one disk ("nvme0c0n1") are no devices of their own.
_LISTED = {
    "net": re.compile(".*", re.DOTALL),
    "block": re.compile(r"(?!nvme[0-9]+c[0-9]+n).*", re.DOTALL),
    "infiniband": re.compile(".*", re.DOTALL),
    "drm": re.compile("card[0-9]+"),
    "accel": re.compile("accel[0-9]+"),
}


@dataclass(frozen=True, slots=True)
class Device:
    """A device and the node that it is near.

    Attributes
    ----------
    name : str
        The name that `near` takes: "eth0", "nvme0n1", "mlx5_0", "card0", "nvidia0". It can contain
        any characters: escape it before you print it.
    kind : str
        "network", "block", "infiniband", "gpu", "accelerator" or "pci".
    node : int or None
        The node; None if the platform does not report it.
    pci : str
        PCI address, such as "0000:3b:00.0"; "" for a device that is not on a PCI bus.
    driver : str
        The kernel's driver; "" if there is none.
    physical_function : str
        For a virtual function, the PCI address of its physical function; otherwise "".
    """

    name: str
    kind: str
    node: int | None
    pci: str = ""
    driver: str = ""
    physical_function: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`."""
        return asdict(self)


def read_devices(root: Path) -> tuple[Device, ...]:
    """Return the devices with hardware of their own: no volumes, bonds and other virtual ones.

    Devices that are unplugged meanwhile, or hidden by a sandbox, are left out.
    """
    gpus = [
        (f"nvidia{gpu.minor}", real(root / "bus/pci/devices" / gpu.pci))
        for gpu in read_gpus(root.parent / "proc")
        if gpu.minor is not None
    ]
    found = [*filter(None, (_if_told(name, "gpu", directory) for name, directory in gpus))]
    known = {gpu.pci for gpu in found}
    for each, listed in _LISTED.items():
        # /sys/class/block has partitions, too.
        base = root / "block" if each == "block" else root / "class" / each
        for name in filter(listed.fullmatch, _names(base)):
            device = _if_told(name, CLASSES[each], real(base / name))
            # A GPU of NVIDIA may also have a node of DRM.
            if device and not (device.kind == "gpu" and device.pci in known):
                found.append(device)
    return tuple(sorted(found, key=_natural))


def device_at(name: str, kind: str, directory: Path) -> Device | None:
    """Return the device of a directory in sysfs; None if it is virtual."""
    node = numa_node(directory)
    if node is None:
        return None
    function = pci_function(directory)
    known = None if node < 0 else node
    if function is None:
        return Device(name, kind, known, driver=link_name(directory / "device" / "driver"))
    virtual_of = link_name(function / "physfn")
    return Device(name, kind, known, function.name, link_name(function / "driver"), virtual_of)


def _if_told(name: str, kind: str, directory: Path) -> Device | None:
    by_paths = "nvme-subsystem" in directory.parts
    if "virtual" in directory.parts and not by_paths:
        return None
    try:
        found = device_at(name, kind, directory)
        if found is None and by_paths:
            paths = [device_at(name, kind, part) for part in parts_of(directory)]
            # A disk with several paths is near a node if all of them are.
            if len({path.node for path in paths if path}) == 1:
                found = next(filter(None, paths))
        return found
    except TopologyError:
        return None


def _names(directory: Path) -> list[str]:
    try:
        return names_in(directory)
    except TopologyError:
        return []


def _natural(device: Device) -> tuple[str, list[tuple[int, str]]]:
    """Return a key that sorts eth2 before eth10."""
    parts = re.findall("[0-9]+|[^0-9]+", device.name)
    return device.kind, [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
