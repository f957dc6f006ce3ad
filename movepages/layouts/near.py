"""near(): the node nearest to a device, as a target."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..pages.page_set import PageSet
from ..system.device_names import find_device
from ..system.devices import Device
from ..system.sysfs import TopologyError
from ..system.topology import Topology
from ..system.topology_reader import read_topology
from .patterns import Pattern
from .targets import OneNode


@dataclass(frozen=True, slots=True)
class Near:
    """The node nearest to a device, as `near` returns it; a target in place of a node or layout.

    Attributes
    ----------
    device : Device
        The device that was found.
    node : int
        The nearest node with memory that this process may use.
    cpu_node : int
        The nearest node with CPUs. It is not the device's node if that has only memory, such as
        HBM.
    cpus : tuple of int
        The CPUs of `cpu_node`, and of other nodes that are equally near.
    """

    device: Device
    node: int
    cpu_node: int
    cpus: tuple[int, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`."""
        return asdict(self) | {"cpus": list(self.cpus)}

    def over(self, array: object, footprint: PageSet) -> Pattern:
        """Return the pattern of this layout over one array."""
        return OneNode(self.node)

    def __index__(self) -> int:
        return self.node

    def __str__(self) -> str:
        device = self.device
        name = ascii(device.name)[1:-1] + (f" ({device.pci})" if device.pci else "")
        if device.node in (self.node, None):
            return f"node {self.node}, the node of {name}"
        return (
            f"node {self.node}, the nearest to {name}: its node {device.node} has no memory that "
            "this process may use"
        )


def near(device: object, *, sysfs: str | os.PathLike[str] = "/sys") -> Near:
    """Return the node nearest to a device, as a target for the buffers that the device uses.

    Parameters
    ----------
    device : str, path, torch.device or Device
        One of

        - a network interface, including a bond or a VLAN: "eth0"
        - a disk, partition, volume or RAID: "nvme0n1", "/dev/nvme0n1p1", "/dev/mapper/data"
        - an InfiniBand device: "mlx5_0"
        - a GPU: "cuda:0" (CUDA's number, after CUDA_VISIBLE_DEVICES), a torch.device, "nvidia0",
          "card0", "/dev/dri/renderD128"
        - a PCI address: "0000:3b:00.0", "3b:00.0"
        - a path: the disk that the file or the directory lies on
        - an item of ``topology().devices``
    sysfs : path
        As for `topology`.

    Returns
    -------
    Near
        A target for `move`, `plan`, `bind`, ``empty(node=)`` and all other calls that expect a node
        or a layout. Its `node` is the device's node, or else the nearest one with memory that this
        process may use; ``print`` shows which. Its `cpus` are the CPUs nearest to the device.

    Raises
    ------
    TypeError, ValueError
        There is no such device, it is virtual, it consists of devices near different nodes, or no
        node with memory is allowed.
    TopologyError
        The platform does not report which node the device is near, as in many virtual machines, or
        sysfs cannot be read.

    Notes
    -----
    The call looks the device up; the target does not follow later changes. On a machine with one
    node, every device is near that node. To find "cuda:0", the call asks torch if torch uses CUDA
    already. Otherwise it asks NVML (pynvml) if that is installed, and reads NVIDIA's files in /proc
    if it is not. It never starts CUDA.

    Examples
    --------
    >>> a = np.ones(1 << 20)
    >>> for device in topology().devices[:1]:
    ...     if device.node is not None:
    ...         _ = move(a, near(device.name))
    """
    root = Path(sysfs)
    found = find_device(device, root)
    machine = read_topology(root)
    home = _home(found, machine)
    node, cpu_node = machine.nearest_memory(home), machine.nearest_cpus(home)
    return Near(found, node, cpu_node, machine.cpus_near(home))


def _home(device: Device, machine: Topology) -> int:
    if device.node is not None and device.node in machine.nodes:
        return device.node
    if len(machine.nodes) == 1:
        return next(iter(machine.nodes))
    if device.node is not None:
        raise TopologyError(
            f"device: {device.name!r} is near node {device.node}, which is not online"
        )
    raise TopologyError(
        f"device: the platform does not say which node {device.name!r} is near (numa_node is -1), "
        "as in many virtual machines. If you know it, pass the node itself as the target"
        + (f", or write it to /sys/bus/pci/devices/{device.pci}/numa_node" if device.pci else "")
    )
