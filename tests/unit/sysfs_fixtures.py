"""Build fake sysfs trees, each file as drivers/base/node.c writes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass
class FakeNode:
    """One node's directory: text as the kernel prints it, sizes in kB, pools by page size in kB."""

    cpulist: str
    distance: str
    total_kb: int
    free_kb: int
    pools: dict[int, tuple[int, int, int]] = field(default_factory=dict)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_pools(directory: Path, pools: dict[int, tuple[int, int, int]]) -> None:
    for size_kb, counts in pools.items():
        names = ("nr_hugepages", "free_hugepages", "surplus_hugepages")
        for name, count in zip(names, counts, strict=True):
            write(directory / f"hugepages-{size_kb}kB" / name, f"{count}\n")


def node_directory(sysfs: Path) -> Path:
    return sysfs / "devices" / "system" / "node"


def write_node(sysfs: Path, node_id: int, node: FakeNode) -> None:
    directory = node_directory(sysfs) / f"node{node_id}"
    write(directory / "cpulist", node.cpulist + "\n")
    write(directory / "distance", node.distance + "\n")
    values = {
        "MemTotal": node.total_kb,
        "MemFree": node.free_kb,
        "MemUsed": node.total_kb - node.free_kb,
        "Active(anon)": 1460,
    }
    lines = [f"Node {node_id} {name + ':':15}{value:8} kB" for name, value in values.items()]
    lines.append(f"Node {node_id} HugePages_Total:     0")
    write(directory / "meminfo", "\n".join(lines) + "\n")
    write_pools(directory / "hugepages", node.pools)


def numa_machine(
    base: Path,
    nodes: dict[int, FakeNode],
    *,
    online: str,
    possible: str,
    has_memory: str | None,
    has_cpu: str,
    pool_sizes_kb: tuple[int, ...] = (),
) -> Path:
    """Build base/sys and return it; `has_memory=None` leaves that file out, as old kernels do."""
    sysfs = base / "sys"
    write(sysfs / "devices" / "system" / "cpu" / "online", "0\n")
    lists = {"online": online, "possible": possible, "has_cpu": has_cpu}
    if has_memory is not None:
        lists["has_memory"] = has_memory
    for name, text in lists.items():
        write(node_directory(sysfs) / name, text + "\n")
    for node_id, node in nodes.items():
        write_node(sysfs, node_id, node)
    write_pools(sysfs / "kernel" / "mm" / "hugepages", dict.fromkeys(pool_sizes_kb, (0, 0, 0)))
    return sysfs


def power(base: Path) -> Path:
    """Build nodes 0, 1, 16 and 17: 1 has only CPUs, 17 only memory. Nodes 2 and 8 are offline."""
    return numa_machine(
        base,
        {
            0: FakeNode("0-15,32-47", "10 20 40 41", 1048576, 524288, {2048: (512, 12, 2)}),
            1: FakeNode("16-31", "20 10 42 43", 0, 0),
            16: FakeNode("48-63", "40 42 10 20", 2097152, 2097152, {2048: (0, 0, 0)}),
            17: FakeNode("", "41 44 20 10", 98304, 1024, {2048: (4, 4, 0), 1048576: (1, 0, 0)}),
        },
        online="0-1,16-17",
        possible="0-2,8,16-17",
        has_memory="0,16-17",
        has_cpu="0-1,16",
        pool_sizes_kb=(2048, 16384),
    )


def two_nodes(base: Path, *, has_memory: str | None = "0-1") -> Path:
    """Build a two-socket machine with CPUs and memory on both nodes."""
    return numa_machine(
        base,
        {0: FakeNode("0-3", "10 21", 4096, 1024), 1: FakeNode("4-7", "21 10", 8192, 2048)},
        online="0-1",
        possible="0-1",
        has_memory=has_memory,
        has_cpu="0-1",
    )


def without_numa(base: Path) -> Path:
    """Build the tree of a kernel without CONFIG_NUMA: no node directory, and the proc beside it."""
    sysfs = base / "sys"
    write(sysfs / "devices" / "system" / "cpu" / "online", "0-3\n")
    write_pools(sysfs / "kernel" / "mm" / "hugepages", {2048: (8, 3, 1)})
    write(base / "proc" / "meminfo", "MemTotal:        1000 kB\nMemFree:          250 kB\n")
    return sysfs
