"""The nodes of this machine, read from sysfs and /proc without the package."""

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
    for line in (SYSFS / f"node{node}" / "meminfo").read_text().splitlines():
        if " MemFree:" in line:
            return int(line.split()[-2]) * 1024
    raise ValueError(f"no MemFree for node {node}")
