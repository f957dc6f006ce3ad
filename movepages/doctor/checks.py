"""Turn the kernel's answers into checks, each with the cause and the remedy of a refusal."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from ..units import format_ids
from .facts import Facts
from .probes import Answers

_PROFILE = (
    "in a container, start it with --security-opt seccomp=PROFILE, where PROFILE is the runtime's "
    "default profile with move_pages, get_mempolicy, mbind and set_mempolicy added"
)
_CAPABILITY = (
    "in a container, start it with --cap-add SYS_NICE, or with a seccomp profile that allows "
    "move_pages"
)
_ELSEWHERE = "; elsewhere, start the program outside the sandbox that filters its system calls"


@dataclass(frozen=True)
class Check:
    """The result of one operation that `preflight` tried.

    Attributes
    ----------
    name : str
        A short name of the operation, which does not change.
    status : {'ok', 'limited', 'no'}
        Whether the operation works, works with restrictions, or does not work.
    detail : str
        What was found; for a failure, also the cause as far as it could be established.
    remedy : str
        What to do about a failure or restriction; empty for 'ok'.
    """

    name: str
    status: Literal["ok", "limited", "no"]
    detail: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return plain data, ready for `json.dumps`."""
        return asdict(self)


# What works by each engine.
_ENGINES = {
    "move_pages": "move_pages(2) finds and moves pages",
    "policy": "get_mempolicy(2) finds this process's pages, mbind(2) moves them",
    "proc": "/proc shows the nodes of mappings that are on one node; no page moves",
}


def judge(answers: Answers, facts: Facts) -> Iterator[Check]:
    """Yield a check for each operation, judged from the answers and the facts."""
    yield _tried("query", "move_pages(2) reports where pages are", answers.query, facts)
    move = _tried("move", "move_pages(2) moves pages", answers.move, facts)
    yield move if move.status != "ok" else _somewhere_to_go(facts)
    yield _move_all(answers, facts)
    yield _tried("get_mempolicy", "get_mempolicy(2) reports nodes", answers.get_mempolicy, facts)
    yield _tried("mbind", "mbind(2) places new pages", answers.mbind, facts)
    yield _tried("set_mempolicy", "set_mempolicy(2) is allowed", answers.set_mempolicy, facts)
    yield _pagemap(answers, facts)
    yield _scan(answers, facts)
    yield _balancing(answers, facts)
    yield _engine(answers)


def _engine(answers: Answers) -> Check:
    name, works = answers.engine, _ENGINES[answers.engine]
    if name != "move_pages":
        remedy = _PROFILE if name == "policy" else _CAPABILITY
        return Check("engine", "limited", f"{name}: {works}", remedy)
    if answers.query:
        return Check("engine", "no", f"{name}, which is refused, as are the others", _CAPABILITY)
    return Check("engine", "ok", f"{name}: {works}")


def _tried(name: str, works: str, code: int, facts: Facts) -> Check:
    """Judge a call that a kernel with NUMA support never refuses by itself."""
    if code == 0:
        return Check(name, "ok", works)
    policy = name in ("get_mempolicy", "mbind", "set_mempolicy")
    call = name if policy else "move_pages"
    answer = f"{call}(2) answers {errno.errorcode.get(code, code)}: "
    if code not in (errno.EPERM, errno.ENOSYS):
        remedy = "see its manual page for this errno"
        if facts["seccomp"] == 2:
            remedy += "; the errno may also come from the seccomp filter of this process"
        return Check(name, "no", answer + os.strerror(code), remedy)
    options = {"CONFIG_NUMA": facts["config_numa"]}
    if not policy:
        options["CONFIG_MIGRATION"] = facts["config_migration"]
    for option, is_set in options.items():
        if code == errno.ENOSYS and is_set is False:
            detail = f"{answer}this kernel was built without {option}"
            return Check(name, "no", detail, "boot a kernel that has it, such as a distribution's")
    if code == errno.ENOSYS and facts["config_numa"] is None:
        detail = f"{answer}no CONFIG_NUMA, or a sandbox; /proc and /sys do not show which"
        return Check(name, "no", detail, _PROFILE + _ELSEWHERE)
    if facts["seccomp"] == 2:
        detail = f"{answer}the seccomp filter of this process forbids it"
        added = ", or with --cap-add SYS_NICE: most default profiles then allow this call"
        return Check(name, "no", detail, _PROFILE + added * policy + _ELSEWHERE)
    detail = f"{answer}a sandbox answers in the kernel's place; the kernel would not refuse it"
    remedy = "use another container runtime (docker: --runtime=runc), or none"
    return Check(name, "no", detail, remedy)


def _somewhere_to_go(facts: Facts) -> Check:
    nodes = facts["nodes"]
    if nodes is None:
        detail = "move_pages(2) moves pages; the nodes are not known: /sys does not show them"
        return Check("move", "limited", detail, "mount sysfs at /sys to see the nodes")
    allowed, memory = nodes["allowed"], nodes["memory"]
    if len(allowed) > 1:
        return Check("move", "ok", f"move_pages(2) moves pages between nodes {format_ids(allowed)}")
    if len(memory) > 1:
        detail = (
            f"move_pages(2) works, but of nodes {format_ids(memory)} the cpuset allows only "
            f"{format_ids(allowed) or 'none'}: there is nowhere to move to"
        )
        remedy = "run where cpuset.mems has more nodes (docker: --cpuset-mems), or ask for more"
        return Check("move", "limited", detail, remedy)
    detail = f"move_pages(2) works, but node {format_ids(memory)} is the only one with memory"
    remedy = (
        "there is nowhere to move to; to try it out, boot a guest with several nodes, or boot a "
        "kernel that has CONFIG_NUMA_EMU with numa=fake=2"
    )
    return Check("move", "limited", detail, remedy)


def _move_all(answers: Answers, facts: Facts) -> Check:
    works = "MPOL_MF_MOVE_ALL moves pages of several processes"
    # If a sandbox forbids even the query, EPERM says nothing about the flag.
    if answers.move_all != errno.EPERM or answers.query == errno.EPERM:
        return _tried("move_all", works, answers.move_all, facts)
    capabilities = facts["capabilities"]
    if capabilities and capabilities["CAP_SYS_NICE"]:
        detail = "MPOL_MF_MOVE_ALL needs CAP_SYS_NICE in the initial user namespace"
        if facts["initial_user_namespace"] is False:
            detail += ", and this process has it only in another one"
        remedy = "run as root outside user namespaces, thus not in a rootless container"
    else:
        detail = "MPOL_MF_MOVE_ALL needs the capability CAP_SYS_NICE"
        remedy = "run as root, or with this capability (docker: --cap-add SYS_NICE)"
    return Check("move_all", "no", detail, remedy + "; only shared pages need it")


def _pagemap(answers: Answers, facts: Facts) -> Check:
    if answers.pagemap:
        detail = f"/proc/self/pagemap: {os.strerror(answers.pagemap)}"
        remedy = "mount procfs at /proc; a sandbox may also forbid it"
        if answers.pagemap == errno.EACCES and not facts["dumpable"]:
            detail += ": this process changed its user or privileges and is not dumpable"
            remedy = "start it as its final user, or let it call prctl(PR_SET_DUMPABLE, 1)"
        return Check("pagemap", "no", detail, remedy)
    if answers.frames_shown:
        return Check("pagemap", "ok", "/proc/self/pagemap shows states and frame numbers")
    capabilities = facts["capabilities"] or {}
    whole = " in the initial user namespace" if capabilities.get("CAP_SYS_ADMIN") else ""
    return Check(
        "pagemap",
        "limited",
        f"/proc/self/pagemap hides frame numbers, which need CAP_SYS_ADMIN{whole}",
        "neither querying nor moving pages needs them",
    )


def _scan(answers: Answers, facts: Facts) -> Check:
    code = answers.scan
    if not code:
        return Check("pagemap_scan", "ok", "PAGEMAP_SCAN reads page tables by ranges")
    remedy = "everything works without it, but querying large arrays in huge pages is slower"
    if answers.pagemap and code == answers.pagemap:
        detail = "PAGEMAP_SCAN needs /proc/self/pagemap"
    elif code == errno.ENOTTY:
        detail = "this kernel has no PAGEMAP_SCAN, which came with Linux 6.7"
    else:
        detail = f"PAGEMAP_SCAN answers {errno.errorcode.get(code, code)}"
        if facts["seccomp"] == 2:
            detail += ", perhaps from the seccomp filter of this process"
    return Check("pagemap_scan", "no", detail, remedy)


def _balancing(answers: Answers, facts: Facts) -> Check:
    name = "numa_balancing"
    if facts["numa_balancing"] is None:
        return Check(name, "ok", "not found: this kernel has none, or /proc hides it")
    if not facts["numa_balancing"]:
        return Check(name, "ok", "off: the kernel moves no pages by itself")
    detail = "on: the kernel may move pages by itself"
    version = re.match(r"(\d+)\.(\d+)", facts["kernel"])
    if version and (int(version[1]), int(version[2])) < (6, 6):
        # Unless one of them fails, pagemap and get_mempolicy(2) find this process's pages.
        blind = answers.pagemap or answers.get_mempolicy
        whose = "pages" if blind else "pages of other processes"
        detail += f", and before Linux 6.6 {whose} that it watches look absent"
    remedy = (
        "for a steady picture, sysctl kernel.numa_balancing=0, or run under movepages run "
        "--localalloc: threads with a policy of their own are left alone"
    )
    return Check(name, "limited", detail, remedy)
