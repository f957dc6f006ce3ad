"""Explanations of failed calls: the cause, as far as it can be established, and the remedy."""

from __future__ import annotations

import errno
from dataclasses import dataclass

import numpy as np

from .. import _core
from ..system.target_nodes import describe_room, list_nodes, machine, why_no_memory

_PROFILE = "with a seccomp profile that allows move_pages, get_mempolicy and mbind"


@dataclass(frozen=True)
class Call:
    """The properties of a failed call that an explanation needs."""

    pid: int
    flags: int
    refused_node: int | None = None
    full_nodes: tuple[int, ...] = ()


def explain(code: int, call: Call) -> tuple[int, str]:
    """Return the errno to report, and a sentence with the cause and the remedy.

    The errno changes in two cases. A node that was refused before the kernel was asked gives the
    kernel's errno: ENODEV if it has no memory, EACCES if the cpuset forbids it. A process without
    memory gives ESRCH, like a process that has ended.
    """
    if call.refused_node is not None:
        return _explain_node(code, call.refused_node, call.pid)
    if code == errno.EPERM:
        return code, _explain_permission(call)
    if code == errno.EINVAL and not _unknown_flags(call):
        return errno.ESRCH, _no_memory_of_its_own(call)
    return code, _SENTENCES.get(code, _unknown)(call)


def _explain_node(code: int, node: int, pid: int) -> tuple[int, str]:
    now = machine()
    if now is None and code == errno.EACCES:
        return code, (
            f"the cpuset of this process does not allow node {node}; see Mems_allowed_list in "
            f"/proc/self/status, or run where cpuset.mems includes {node}"
        )
    if now is None:
        return errno.ENODEV, f"node {node} is not a node that this process may use"
    allowed = list_nodes(now.allowed_nodes)
    if code != errno.EACCES and node not in now.memory_nodes:
        expected = allowed if pid == 0 else list_nodes(now.memory_nodes)
        return errno.ENODEV, (
            f"{why_no_memory(node, now)}; expected one of {expected} (see 'movepages topology')"
        )
    return errno.EACCES, (
        f"node {node} has memory, but the cpuset of this process allows only {allowed}; "
        f"choose one of these, or run where cpuset.mems includes {node}"
    )


def _explain_permission(call: Call) -> str:
    engine = _core.engine()
    if call.flags & _core.MPOL_MF_MOVE_ALL and engine != "proc" and _permitted(call.pid):
        return (
            "MPOL_MF_MOVE_ALL needs the capability CAP_SYS_NICE in the initial user namespace, not "
            "just in another one; run with it, or use flags=MPOL_MF_MOVE"
        )
    if engine == "move_pages" and _permitted(0):
        return (
            f"this process may not inspect process {call.pid}; run as the same user where "
            "kernel.yama.ptrace_scope allows it, or with CAP_SYS_PTRACE, "
            "for example with sudo"
        )
    if call.pid:
        return (
            f"a sandbox forbids move_pages(2), without which the pages of process {call.pid} can "
            f"neither be found nor moved; start the container {_PROFILE}"
        )
    forbidden = "mbind(2), too" if engine == "policy" else "the calls that could take its place"
    return (
        "a sandbox forbids move_pages(2), as the default profiles of Docker, containerd and Podman "
        f"do, and {forbidden}; start the container with --cap-add SYS_NICE, or {_PROFILE}"
    )


def _permitted(pid: int) -> bool:
    """Query an empty list of pages, for which the kernel only checks the permission."""
    failure = _core.move_pages(
        np.empty(0, np.uintp), None, np.empty(0, np.int32), pid, _core.MPOL_MF_MOVE, None
    )
    return failure is None


def _no_process(call: Call) -> str:
    return f"there is no process {call.pid}; it may have ended. Use pid=0 for pages of this process"


def _unknown_flags(call: Call) -> bool:
    known = _core.MPOL_MF_MOVE | _core.MPOL_MF_MOVE_ALL
    return bool(call.flags & ~known) or call.flags < 0


def _invalid(call: Call) -> str:
    return (
        f"flags={call.flags} has unknown bits; expected MPOL_MF_MOVE (2), MPOL_MF_MOVE_ALL (4) "
        "or both"
    )


def _no_memory_of_its_own(call: Call) -> str:
    return f"process {call.pid} has no memory of its own: it is a kernel thread or has just ended"


def _no_memory(call: Call) -> str:
    room = describe_room(call.full_nodes)
    return (
        f"a target node had too little memory{f': {room}' if room else ''}. Pages with status "
        "ENOMEM stayed where they were; free memory there (the kernel keeps a reserve), or choose "
        "another node (see 'movepages topology')"
    )


def _forbidden_node(call: Call) -> str:
    whose = "this process" if call.pid == 0 else f"process {call.pid}"
    return (
        f"the cpuset of {whose} forbids one of the target nodes; choose a node that is listed in "
        f"/proc/{call.pid or 'self'}/status under Mems_allowed_list"
    )


def _bad_node(_call: Call) -> str:
    now = machine()
    there = f"; nodes with memory are {list_nodes(now.memory_nodes)}" if now else ""
    return f"one of the target nodes has no memory or does not exist{there}"


def _missing(_call: Call) -> str:
    return "this kernel has no move_pages(2): it lacks CONFIG_NUMA, or a sandbox hides the call"


def _fault(_call: Call) -> str:
    return "the kernel could not read or write one of the arrays; was it unmapped during the call?"


def _interrupted(call: Call) -> str:
    return f"a signal arrived while process {call.pid} was being looked up; call again"


def _unknown(_call: Call) -> str:
    return "move_pages(2) failed with an errno that has no explanation here; see its manual page"


_SENTENCES = {
    errno.ESRCH: _no_process,
    errno.EINVAL: _invalid,
    errno.ENOMEM: _no_memory,
    errno.EACCES: _forbidden_node,
    errno.ENODEV: _bad_node,
    errno.ENOSYS: _missing,
    errno.EFAULT: _fault,
    errno.EINTR: _interrupted,
}
