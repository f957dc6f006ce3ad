"""The CPUs of one node, read without the rest of the topology."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .sysfs import TopologyError, read_ids

_NODES = Path("/sys/devices/system/node")


def cpus_of(node: int, among: Collection[int]) -> npt.NDArray[np.int32]:
    """Return the CPUs of a node that are in `among`; none if sysfs does not tell."""
    try:
        found = read_ids(_NODES / f"node{node}" / "cpulist")
    except TopologyError:
        found = ()
    return np.array([cpu for cpu in found if cpu in among], np.int32)


def cpus_beside(cpu: int, among: Collection[int]) -> npt.NDArray[np.int32]:
    """Return the CPUs in `among` that are on the node of a CPU; only `cpu` if that is unknown."""
    try:
        nodes = read_ids(_NODES / "has_cpu")
    except TopologyError:
        nodes = ()
    for node in nodes:
        found = cpus_of(node, among)
        if cpu in found:
            return found
    return np.array([cpu], np.int32)
