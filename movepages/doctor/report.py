"""Format checks and facts as text: laid out in 80 columns, or as phrases for other layouts."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from ..units import format_bytes, format_ids
from .checks import Check
from .facts import Facts

_WIDTH = 80


def report(checks: Iterable[Check], facts: Facts) -> str:
    """Return the checks with their remedies, then the facts, in at most 80 columns."""
    lines = []
    for check, advice in with_advice(checks):
        lines += _wrapped(f"{check.status:8}{check.name:16}", check.detail)
        if advice:
            lines += _wrapped(" " * 24 + "-> ", advice)
    lines.append("")
    for title, text in describe(facts):
        lines += _wrapped(f"{title:12}", text)
    return "\n".join(lines)


def with_advice(checks: Iterable[Check]) -> Iterator[tuple[Check, str]]:
    """Yield each check with its remedy; a repeated remedy becomes a reference to the first."""
    first: dict[str, str] = {}
    for check in checks:
        before = first.setdefault(check.remedy, check.name)
        known = check.remedy and before != check.name
        yield check, f"as for {before}" if known else check.remedy


def describe(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield the facts as pairs of a title and a phrase."""
    support = {True: "CONFIG_NUMA", False: "no CONFIG_NUMA", None: "CONFIG_NUMA not known"}
    size = format_bytes(facts["page_size"])
    has = support[facts["config_numa"]]
    yield "kernel", f"Linux {facts['kernel']} on {facts['machine']}, pages of {size}, {has}"
    kinds = (facts["nodes"] or {}).items()
    listed = [f"{kind.replace('_', ' ')} {format_ids(ids)}" for kind, ids in kinds if ids]
    yield "nodes", ", ".join(listed) or "not known: /sys does not show them"
    if facts["free_bytes"]:
        free = facts["free_bytes"].items()
        yield "free", ", ".join(f"node {node}: {format_bytes(size)}" for node, size in free)
    yield "privileges", ", ".join(_privileges(facts))
    yield "memory", ", ".join(_memory(facts))
    if facts["container_hints"]:
        yield "container", f"perhaps, by {', '.join(facts['container_hints'])}"


def _privileges(facts: Facts) -> Iterator[str]:
    if facts["capabilities"] is None:
        yield "capabilities not known"
    else:
        held = [name for name, has in facts["capabilities"].items() if has]
        yield " ".join(held) or f"none of {' '.join(facts['capabilities'])}"
    spaces = {True: "initial", False: "not the initial", None: "unknown"}
    yield f"{spaces[facts['initial_user_namespace']]} user namespace"
    modes: dict[int | None, str] = {0: "off", 1: "strict", 2: "filter"}
    yield f"seccomp {modes.get(facts['seccomp'], 'unknown')}"
    if facts["no_new_privs"]:
        yield "no_new_privs"
    if facts["ptrace_scope"] is not None:
        yield f"yama ptrace_scope {facts['ptrace_scope']}"


def _memory(facts: Facts) -> Iterator[str]:
    huge = facts["transparent_huge_pages"]
    if huge["enabled"]:
        size = f" of {format_bytes(huge['bytes'])}" if huge["bytes"] else ""
        yield f"transparent huge pages{size}: {huge['enabled']}, defrag {huge['defrag']}"
    else:
        yield "transparent huge pages: not found"
    # The line above already names the largest size, with the global mode.
    smaller = {size: mode for size, mode in (huge["sizes"] or {}).items() if size != huge["bytes"]}
    if smaller:
        sizes = ", ".join(f"{format_bytes(size)} ({mode})" for size, mode in smaller.items())
        yield f"also of {sizes}"
    if facts["swap_bytes"] is not None:
        yield f"swap {format_bytes(facts['swap_bytes'])}" if facts["swap_bytes"] else "no swap"
    if facts["cpuset_mems_effective"] is not None:
        yield f"cpuset.mems.effective {format_ids(facts['cpuset_mems_effective'])}"


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
