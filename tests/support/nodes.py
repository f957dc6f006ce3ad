"""The nodes of this machine, read from sysfs and /proc without the package."""

import contextlib
import os
from pathlib import Path

SYSFS = Path("/sys/devices/system/node")


def parse_list(text: str) -> tuple[int, ...]:
    """Return the numbers of a kernel list such as ``0-1,3``."""
    numbers: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        numbers.extend(range(int(first), int(last or first) + 1))
    return tuple(numbers)


def listed(name: str) -> tuple[int, ...]:
    """Return one of sysfs' node lists: has_memory, has_cpu, online, possible."""
    try:
        return parse_list((SYSFS / name).read_text())
    except FileNotFoundError:
        return ()


def allowed() -> tuple[int, ...]:
    """Return the nodes with memory that the cpuset of this process allows."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("Mems_allowed_list:"):
            cpuset = parse_list(line.partition(":")[2])
            return tuple(node for node in listed("has_memory") if node in cpuset)
    return ()


def free_bytes(node: int) -> int:
    """Return how much memory of a node is free, in bytes."""
    return meminfo(node)["MemFree"]


def meminfo(node: int) -> dict[str, int]:
    """Return the figures of a node's meminfo that are bytes."""
    lines = (SYSFS / f"node{node}" / "meminfo").read_text().splitlines()
    words = [line.replace(":", " ").split()[2:] for line in lines]
    return {each[0]: int(each[1]) * 1024 for each in words if each[-1] == "kB"}


def most_bytes(node: int) -> int:
    """Return how much memory of a node can become free without swap.

    The kernel takes pages of files, its own caches and the lists of the CPUs before it refuses
    memory. To fill a node takes more than all of these together.
    """
    told = meminfo(node)
    pages = 0
    for zone in Path("/proc/zoneinfo").read_text().split("Node ")[1:]:
        if int(zone.partition(",")[0]) == node:
            lists = [line.split() for line in zone.splitlines() if " count:" in line]
            pages += sum(int(words[1]) for words in lists)
    caches = sum(told.get(name, 0) for name in ("Active(file)", "Inactive(file)", "SReclaimable"))
    return told["MemFree"] + caches + pages * os.sysconf("SC_PAGESIZE")


def make_room() -> None:
    """Have the kernel drop pages of files and join free memory, if this process is root."""
    for name in ("drop_caches", "compact_memory"):
        with contextlib.suppress(OSError):
            Path("/proc/sys/vm", name).write_text("1")
