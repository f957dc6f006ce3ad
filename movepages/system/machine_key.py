"""What a measurement of this machine depends on: MachineKey."""

from __future__ import annotations

import os
import platform
import re
from typing import NamedTuple

from .._core import read_file
from ..units import format_ids
from .refusals import Refusal
from .topology import Topology


class MachineKey(NamedTuple):
    """What figures about memory depend on; others hold for another machine or another share of it.

    Attributes
    ----------
    host, kernel, cpu : str
        Name of the host, because machines may share a home; release of the kernel; model of the
        CPUs.
    cpus : str
        The CPUs that the process may use, as in "0-3,8".
    nodes : str
        The nodes with memory that the process may use.
    """

    host: str
    kernel: str
    cpu: str
    cpus: str
    nodes: str


def machine_key(machine: Topology) -> MachineKey:
    """Return the key of this machine, for the calling thread."""
    cpuinfo = b""
    with Refusal():
        cpuinfo = read_file("/proc/cpuinfo")
    return MachineKey(
        platform.node(),
        platform.release(),
        cpu_model(cpuinfo.decode(errors="replace")),
        format_ids(os.sched_getaffinity(0)),
        format_ids(machine.allowed_nodes),
    )


def cpu_model(cpuinfo: str) -> str:
    """Return the model of the CPUs, from the text of /proc/cpuinfo.

    Examples
    --------
    >>> cpu_model("model name : AMD EPYC")
    'AMD EPYC'
    """
    # AArch64 has numbers only.
    for pattern in (r"^model name\s*: (.+)$", r"^(?:cpu|Processor)\s*: (.+)$"):
        if found := re.search(pattern, cpuinfo, re.MULTILINE):
            return found[1].strip()
    parts = re.findall(r"^CPU (?:implementer|part)\s*: (\S+)$", cpuinfo, re.MULTILINE)[:2]
    return " ".join([platform.machine(), *parts])
