"""Set the CPUs and the memory policy of a thread, which the programs that it starts inherit."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

import numpy as np

from .. import _core
from ..system.refusals import Refusal
from ..units import format_ids


class CpusRefusedError(ValueError):
    """A CPU does not exist, or the cpuset forbids it."""


class Placing(NamedTuple):
    """Where a program is to run, and where its memory is to come from.

    Attributes
    ----------
    cpus : tuple of int
        The CPUs; empty for those that it would run on anyway.
    all_cpus : bool
        Whether each of the CPUs must be allowed; otherwise one of them is enough.
    mode : int or None
        A mode of set_mempolicy(2); None for the policy that it would have anyway.
    nodes : tuple of int
        The nodes of the policy.
    """

    cpus: tuple[int, ...] = ()
    all_cpus: bool = False
    mode: int | None = None
    nodes: tuple[int, ...] = ()


def place_thread(placing: Placing) -> list[str]:
    """Set the CPUs and the policy of this thread; return why parts of it were refused, if so.

    Raises
    ------
    CpusRefusedError
        The CPUs do not exist, or the cpuset forbids them.
    """
    refused = [_set_cpus(placing)] if placing.cpus else []
    if placing.mode is not None:
        refused.append(_set_policy(placing.mode, placing.nodes))
    return [each for each in refused if each]


def _set_cpus(placing: Placing) -> str:
    with Refusal() as refusal:
        os.sched_setaffinity(0, placing.cpus)
        given = os.sched_getaffinity(0)
        missing = set(placing.cpus) - given
        if missing and placing.all_cpus:
            raise CpusRefusedError(
                f"CPU {format_ids(missing)} does not exist, or the cpuset of this process forbids "
                f"it; of the CPUs asked for, it may run on {format_ids(given)}"
            )
    if refusal.code == errno.EINVAL:
        raise CpusRefusedError(
            f"none of the CPUs {format_ids(placing.cpus)} exists and is in the cpuset of this "
            "process; see Cpus_allowed_list in /proc/self/status"
        )
    if refusal.error:
        return f"the CPUs are not set: sched_setaffinity(2): {refusal.why}"
    return ""


def _set_policy(mode: int, nodes: tuple[int, ...]) -> str:
    code = _core.set_policy(mode, np.array(nodes, np.int32))
    if code == 0:
        return ""
    why = {
        errno.EPERM: "a sandbox forbids it; allow it in the container's seccomp profile, or add "
        "the capability SYS_NICE to the container",
        errno.ENOSYS: "this kernel was built without CONFIG_NUMA, or a sandbox hides the call",
        errno.EINVAL: "this kernel lacks the mode, or this process may not use the nodes",
    }
    said = why.get(code, os.strerror(code))
    return f"the memory policy is not set: set_mempolicy(2): {said}"
