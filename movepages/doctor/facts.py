"""Read the kernel, the nodes and the privileges of this process from /proc and /sys."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import platform
import re
from pathlib import Path
from typing import Any, TypedDict

from ..system.privileges import initial_user_namespace, text_if_any
from ..system.refusals import Refusal, is_there
from ..system.sysfs import TopologyError
from ..system.topology_reader import topology
from ..units import parse_ids

_PR_GET_DUMPABLE = 3
_SIZE = re.compile(r"hugepages-[0-9]+kB")
_CAPABILITIES = {"CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21, "CAP_SYS_NICE": 23}

_libc = ctypes.CDLL(None)


class Facts(TypedDict):
    """Facts about the kernel, nodes and privileges; None for a fact that cannot be read."""

    kernel: str
    machine: str
    page_size: int
    config_numa: bool | None
    config_migration: bool | None
    nodes: dict[str, list[int]] | None
    free_bytes: dict[int, int] | None
    capabilities: dict[str, bool] | None
    dumpable: bool
    initial_user_namespace: bool | None
    seccomp: int | None
    no_new_privs: int | None
    ptrace_scope: int | None
    container_hints: list[str]
    transparent_huge_pages: dict[str, Any]
    numa_balancing: int | None
    cpuset_mems_effective: list[int] | None
    swap_bytes: int | None


def read_facts(root: Path = Path("/")) -> Facts:
    """Return facts about the kernel, nodes and privileges of this thread."""
    proc, kernel = root / "proc", root / "proc/sys/kernel"
    status = _fields(text_if_any(proc / "thread-self/status") or text_if_any(proc / "self/status"))
    vmstat = _fields(text_if_any(proc / "vmstat"), None)
    thp = root / "sys/kernel/mm/transparent_hugepage"
    nodes, free = _nodes(root / "sys")
    numa = "numa_hit" in vmstat or is_there(root / "sys/devices/system/node")
    swap = re.search(r"^SwapTotal:\s+(\d+) kB", text_if_any(proc / "meminfo") or "", re.MULTILINE)
    return Facts(
        kernel=os.uname().release,
        machine=platform.machine(),
        page_size=mmap.PAGESIZE,
        config_numa=numa if numa or vmstat else None,
        # Without CONFIG_VM_EVENT_COUNTERS, vmstat shows neither counter.
        config_migration="pgmigrate_success" in vmstat if "pgfault" in vmstat else None,
        nodes=nodes,
        free_bytes=free,
        capabilities=_capabilities(status.get("CapEff")),
        dumpable=_libc.prctl(_PR_GET_DUMPABLE, *[ctypes.c_ulong()] * 4) == 1,
        initial_user_namespace=initial_user_namespace(proc / "self"),
        seccomp=_number(status.get("Seccomp")),
        no_new_privs=_number(status.get("NoNewPrivs")),
        ptrace_scope=_number(text_if_any(kernel / "yama/ptrace_scope")),
        container_hints=_container_hints(root),
        transparent_huge_pages={
            "enabled": _chosen(text_if_any(thp / "enabled")),
            "defrag": _chosen(text_if_any(thp / "defrag")),
            "bytes": _number(text_if_any(thp / "hpage_pmd_size")),
            "sizes": _huge_page_sizes(thp),
        },
        numa_balancing=_number(text_if_any(kernel / "numa_balancing")),
        cpuset_mems_effective=_cpuset(root),
        swap_bytes=int(swap[1]) * 1024 if swap else None,
    )


def _nodes(sysfs: Path) -> tuple[dict[str, list[int]] | None, dict[int, int] | None]:
    try:
        machine = topology(sysfs)
    except (TopologyError, ValueError):
        return None, None
    nodes = machine.nodes.values()
    kinds = {
        "memory": list(machine.memory_nodes),
        "allowed": list(machine.allowed_nodes),
        "memory_only": [node.id for node in nodes if node.has_memory and not node.has_cpus],
        "without_memory": [node.id for node in nodes if not node.has_memory],
        "offline": list(machine.offline_nodes),
    }
    return kinds, {node.id: node.memory_free for node in nodes if node.allowed}


def _fields(text: str | None, separator: str | None = ":") -> dict[str, str]:
    split = (line.split(separator, 1) for line in (text or "").splitlines())
    return {words[0]: words[1].strip() for words in split if len(words) == 2}


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"-?[0-9]+", text) else None


def _chosen(text: str | None) -> str | None:
    match = re.search(r"\[(.+?)\]", text or "")
    return match[1] if match else None


def _huge_page_sizes(thp: Path) -> dict[int, str] | None:
    """Return the mode of each enabled huge page size in bytes; None without settings by size.

    Notes
    -----
    Source: Documentation/admin-guide/mm/transhuge.rst, Linux 6.8. "inherit" stands for the global
    mode.
    """
    found = None
    with Refusal():
        found = [each for each in os.listdir(thp) if _SIZE.fullmatch(each)]
    if not found:
        return None
    overall = _chosen(text_if_any(thp / "enabled"))
    sizes = {}
    for name in found:
        mode = _chosen(text_if_any(thp / name / "enabled"))
        mode = overall if mode == "inherit" else mode
        if mode not in (None, "never"):
            sizes[int(name[len("hugepages-") : -len("kB")]) * 1024] = mode
    return dict(sorted(sizes.items()))


def _capabilities(mask: str | None) -> dict[str, bool] | None:
    if mask is None:
        return None
    return {name: bool(int(mask, 16) >> bit & 1) for name, bit in _CAPABILITIES.items()}


def _container_hints(root: Path) -> list[str]:
    files = ("/.dockerenv", "/run/.containerenv")
    hints = [name for name in files if is_there(root / name[1:])]
    groups = text_if_any(root / "proc/self/cgroup") or ""
    words = re.findall("docker|kubepods|containerd|libpod|lxc", groups)
    return hints + [f"'{word}' in /proc/self/cgroup" for word in sorted(set(words))]


def _cpuset(root: Path) -> list[int] | None:
    """Return the allowed nodes of the nearest cgroup v2 with a cpuset; None if there is none."""
    found = re.search(r"^0::/(.*)$", text_if_any(root / "proc/self/cgroup") or "", re.MULTILINE)
    top = root / "sys/fs/cgroup"
    if found is None or ".." in found[1].split("/"):
        return None
    group = top / found[1]
    for directory in (group, *group.parents):
        text = text_if_any(directory / "cpuset.mems.effective")
        if text is not None or directory == top:
            with contextlib.suppress(ValueError):
                return list(parse_ids(text)) if text else None
            break
    return None
