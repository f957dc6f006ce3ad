"""Modes of memory policies: check their nodes, and explain why the kernel refuses one."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from enum import IntEnum
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from ..pages.arguments import as_nodes
from ..query.explain import Call, explain
from ..query.syscall import MPOL_MF_MOVE
from ..results.outcome import make_error
from ..system.target_nodes import unusable_node
from ..units import refuse_unknown


class PolicyMode(IntEnum):
    """How the kernel chooses the node of a new page; the names are those of set_mempolicy(2)."""

    DEFAULT = 0
    PREFERRED = 1
    BIND = 2
    INTERLEAVE = 3
    LOCAL = 4
    PREFERRED_MANY = 5
    WEIGHTED_INTERLEAVE = 6


_WITHOUT_NODES = (PolicyMode.DEFAULT, PolicyMode.LOCAL)
_SINCE = {PolicyMode.PREFERRED_MANY: "5.15", PolicyMode.WEIGHTED_INTERLEAVE: "6.9"}
# Why mbind(2) and get_mempolicy(2) do not work at all, and what to do about it.
_REFUSED = {
    errno.EPERM: "a sandbox forbids it; allow it in the container's seccomp profile, or start the "
    "container with --cap-add SYS_NICE",
    errno.ENOSYS: "this kernel lacks CONFIG_NUMA, or a sandbox hides the call",
}


def as_policy(
    nodes: Sequence[SupportsIndex] | SupportsIndex, mode: str
) -> tuple[PolicyMode, npt.NDArray[np.int32]]:
    """Return a mode and its nodes; raise if they do not fit together or a node is unusable."""
    chosen = _as_mode(mode)
    given = as_nodes(nodes)
    # Do not convert an int: numpy 1 would wrap one that is too large into another node's number.
    listed = [given] if isinstance(given, int) else given.tolist()
    if (chosen in _WITHOUT_NODES) != (len(listed) == 0):
        raise ValueError(
            f"nodes: mode {mode!r} takes "
            + ("no nodes" if chosen in _WITHOUT_NODES else "one node or more")
            + f", got {listed}"
        )
    if chosen == PolicyMode.PREFERRED and len(listed) > 1:
        raise ValueError(
            f"nodes: mode 'preferred' takes one node, got {listed}; use mode='preferred-many'"
        )
    refuse_unusable(listed)
    return chosen, np.array(listed, np.int32)


def refuse_unusable(nodes: list[int]) -> None:
    """Raise for the first of `nodes` that this process cannot use."""
    if (node := unusable_node(nodes, 0)) is not None:
        code, why = explain(errno.ENODEV, Call(0, MPOL_MF_MOVE, refused_node=node))
        raise make_error(code, why)


def mbind_failed(code: int, mode: PolicyMode, bound: int = 0) -> Exception:
    """Return the exception for an errno of mbind(2) after `bound` bytes were bound."""
    if code == errno.EINVAL and (error := needs_newer_kernel(mode)):
        return error
    why = {
        errno.EFAULT: "a part of the memory is not mapped",
        errno.EINVAL: "part of a hugetlbfs huge page cannot have its own policy; pass all of it",
    } | _REFUSED
    part = f"; the {bound:,} bytes before it are bound" if bound else ""
    return make_error(code, f"mbind(2): {why.get(code, os.strerror(code))}{part}")


def get_mempolicy_failed(code: int, address: int) -> Exception:
    """Return the exception for an errno of get_mempolicy(2) for an address."""
    why = {errno.EFAULT: "the memory is not mapped"} | _REFUSED
    return make_error(code, f"get_mempolicy(2) of {address:#x}: {why.get(code, os.strerror(code))}")


def needs_newer_kernel(mode: PolicyMode) -> Exception | None:
    """Return the exception for a mode that this kernel refuses; None if every kernel has it."""
    since = _SINCE.get(mode)
    if since is None:
        return None
    return make_error(
        errno.ENOSYS, f"mode {_name_of(mode)!r} needs Linux {since} or later; use another mode"
    )


def _name_of(mode: PolicyMode) -> str:
    return mode.name.lower().replace("_", "-")


def _as_mode(mode: str) -> PolicyMode:
    names = {_name_of(each): each for each in PolicyMode}
    names["weighted"] = PolicyMode.WEIGHTED_INTERLEAVE
    refuse_unknown("mode", mode, names)
    return names[mode]
