"""Build fake sysfs trees of machines with devices, as the kernel lays them out."""

from __future__ import annotations

import os
from pathlib import Path

import sysfs_fixtures as fake
from sysfs_fixtures import FakeNode, write

GIB_KB = 1 << 20


def link(path: Path, to: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(to, path.parent))


def add_pci(
    sysfs: Path, address: str, node: int, driver: str = "", physical_function: str = ""
) -> Path:
    """Add a PCI function below a bridge of its bus, and return its directory."""
    domain, bus, _ = address.split(":")
    bridge = sysfs / f"devices/pci{domain}:00/{domain}:00:{int(bus, 16) % 32:02x}.0"
    write(bridge / "numa_node", f"{node}\n")
    directory = bridge / address
    write(directory / "numa_node", f"{node}\n")
    link(sysfs / "bus/pci/devices" / address, directory)
    if driver:
        (sysfs / "bus/pci/drivers" / driver).mkdir(parents=True, exist_ok=True)
        link(directory / "driver", sysfs / "bus/pci/drivers" / driver)
    if physical_function:
        link(directory / "physfn", bridge / physical_function)
    return directory


def add_name(sysfs: Path, kind: str, name: str, above: Path) -> Path:
    """Add a name of a class below a device or a virtual folder, and return its directory."""
    directory = above / name if kind == "nvme" else above / kind / name
    directory.mkdir(parents=True)
    link(sysfs / "class" / kind / name, directory)
    if kind == "block":
        link(sysfs / "block" / name, directory)
    return directory


def add_partition(sysfs: Path, name: str, disk: Path) -> Path:
    directory = disk / name
    write(directory / "partition", "1\n")
    link(sysfs / "class/block" / name, directory)
    return directory


def add_virtual(sysfs: Path, kind: str, name: str, below: dict[str, Path], prefix: str) -> Path:
    """Add a bond (prefix "lower_") or a volume (prefix "slaves/") of other devices."""
    directory = add_name(sysfs, kind, name, sysfs / "devices/virtual")
    for each, to in below.items():
        link(directory / f"{prefix}{each}", to)
    return directory


def add_nvme(sysfs: Path, number: int, address: str, node: int) -> Path:
    """Add an NVMe disk, and return the directory of its block device."""
    controller = add_name(sysfs, "nvme", f"nvme{number}", add_pci(sysfs, address, node, "nvme"))
    # The driver chose this node for its queues, whatever the platform told.
    write(controller / "numa_node", "0\n")
    disk = controller / f"nvme{number}n1"
    disk.mkdir()
    for base in ("class/block", "block"):
        link(sysfs / base / disk.name, disk)
    return disk


def add_nvidia(proc: Path, address: str, minor: int, uuid: str, model: str = "NVIDIA H100") -> None:
    text = f"Model: \t\t {model}\nIRQ:   \t\t 30\nGPU UUID: \t {uuid}\nBus Type: \t PCIe\n"
    text += f"Bus Location: \t {address}\nDevice Minor: \t {minor}\n"
    write(proc / "driver/nvidia/gpus" / address / "information", text)


def add_access(sysfs: Path, node: int, initiators: tuple[int, ...], speed: dict[str, int]) -> None:
    """Add what HMAT tells of a node, as drivers/base/node.c shows it."""
    for number in (0, 1):
        folder = fake.node_directory(sysfs) / f"node{node}" / f"access{number}/initiators"
        folder.mkdir(parents=True)
        for each in initiators:
            link(folder / f"node{each}", fake.node_directory(sysfs) / f"node{each}")
        for name, value in speed.items():
            write(folder / name, f"{value}\n")


def speed(bandwidth: int, latency: int) -> dict[str, int]:
    return {
        "read_bandwidth": bandwidth,
        "write_bandwidth": bandwidth - 100,
        "read_latency": latency,
        "write_latency": latency + 5,
    }


def add_weights(sysfs: Path, weights: dict[int, int], auto: str | None = None) -> None:
    folder = sysfs / "kernel/mm/mempolicy/weighted_interleave"
    for node, weight in weights.items():
        write(folder / f"node{node}", f"{weight}\n")
    if auto is not None:
        write(folder / "auto", f"{auto}\n")


def machine(base: Path, cpus: list[str], distances: list[str], memory: str = "") -> Path:
    """Build nodes of 64 GiB in a row, each with a CPU list ("": none); `memory` lists nodes."""
    ids = f"0-{len(cpus) - 1}" if len(cpus) > 1 else "0"
    with_cpus = ",".join(str(k) for k, each in enumerate(cpus) if each)
    nodes = {
        k: FakeNode(each, row, 64 * GIB_KB, 60 * GIB_KB)
        for k, (each, row) in enumerate(zip(cpus, distances, strict=True))
    }
    memory = memory or ids
    return fake.numa_machine(
        base, nodes, online=ids, possible=ids, has_memory=memory, has_cpu=with_cpus
    )


def dgx(base: Path) -> Path:
    """Build two sockets with four GPUs, NICs and disks each, as a DGX H100."""
    sysfs = machine(base, ["0-55,112-167", "56-111,168-223"], ["10 21", "21 10"])
    for number, bus in enumerate(("1b", "43", "52", "61", "9d", "c3", "d1", "df")):
        node, address = number // 4, f"0000:{bus}:00.0"
        gpu = add_pci(sysfs, address, node, "nvidia")
        add_name(sysfs, "drm", f"card{number + 1}", gpu)
        add_name(sysfs, "drm", f"renderD{128 + number}", gpu)
        add_nvidia(base / "proc", address, number, f"GPU-{number}0000000-aaaa")
        nic = add_pci(sysfs, f"0000:{int(bus, 16) - 3:02x}:00.0", node, "mlx5_core")
        add_name(sysfs, "infiniband", f"mlx5_{number}", nic)
        add_name(sysfs, "net", f"ibp{int(bus, 16) - 3}s0", nic)
    add_nvme(sysfs, 0, "0000:29:00.0", 0)
    add_nvme(sysfs, 1, "0000:ab:00.0", 1)
    add_name(sysfs, "net", "lo", sysfs / "devices/virtual")
    return sysfs


def sub_numa(base: Path) -> Path:
    """Build two sockets of four nodes each (SNC4, NPS4), with a NIC near the last."""
    cpus = [f"{8 * k}-{8 * k + 7}" for k in range(8)]
    rows = [
        " ".join("10" if a == b else "12" if a // 4 == b // 4 else "32" for b in range(8))
        for a in range(8)
    ]
    sysfs = machine(base, cpus, rows)
    add_name(sysfs, "net", "eth0", add_pci(sysfs, "0000:21:00.0", 2, "bnxt_en"))
    add_name(sysfs, "net", "eth1", add_pci(sysfs, "0000:e1:00.0", 7, "bnxt_en"))
    return sysfs


def grace_hopper(base: Path) -> Path:
    """Build two superchips: CPUs with LPDDR on nodes 0 and 1, HBM of the GPUs on 2 and 3."""
    rows = ["10 40 80 120", "40 10 120 80", "80 120 10 160", "120 80 160 10"]
    sysfs = machine(base, ["0-71", "72-143", "", ""], rows)
    for number, domain in enumerate(("0009", "0019")):
        # The GPU's own memory is the node of its function.
        gpu = add_pci(sysfs, f"{domain}:01:00.0", 2 + number, "nvidia")
        add_name(sysfs, "drm", f"card{number}", gpu)
        add_nvidia(base / "proc", f"{domain}:01:00.0", number, f"GPU-{number}gh", "NVIDIA GH200")
        add_access(sysfs, number, (number,), speed(480000, 90))
        add_access(sysfs, 2 + number, (number,), speed(400000, 600))
    return sysfs


def cxl(base: Path) -> Path:
    """Build two sockets, and CXL memory of node 1 that is as far from node 0 by distance."""
    sysfs = machine(base, ["0-31", "32-63", ""], ["10 21 24", "21 10 24", "24 24 10"])
    add_access(sysfs, 0, (0,), speed(300100, 95))
    add_access(sysfs, 1, (1,), speed(300100, 95))
    add_access(sysfs, 2, (1,), speed(60100, 260))
    tiers = sysfs / "devices/virtual/memory_tiering"
    write(tiers / "memory_tier4/nodelist", "0-1\n")
    write(tiers / "memory_tier22/nodelist", "2\n")
    (tiers / "power").mkdir()
    add_weights(sysfs, {0: 5, 1: 5, 2: 1}, "true")
    add_pci(sysfs, "0000:35:00.0", 2, "cxl_pci")
    return sysfs


def vm(base: Path, nodes: int = 2) -> Path:
    """Build a virtual machine whose platform does not tell where devices are."""
    rows = [" ".join("10" if a == b else "20" for b in range(nodes)) for a in range(nodes)]
    sysfs = machine(base, [f"{k}" for k in range(nodes)], rows)
    virtio = add_pci(sysfs, "0000:03:00.0", -1, "virtio-pci") / "virtio2"
    add_name(sysfs, "net", "eth0", virtio)
    add_nvme(sysfs, 0, "0000:04:00.0", -1)
    return sysfs
