"""The figures that are measured of memory."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Figures: TypeAlias = "npt.NDArray[np.float64]"
Figure = Literal["read", "write", "copy", "latency"]
FIGURES: tuple[Figure, ...] = ("read", "write", "copy", "latency")


class Rates(NamedTuple):
    """Bandwidths in GB/s, which are 10**9 bytes a second."""

    read: float
    write: float
    copy: float


class Pair(NamedTuple):
    """Bandwidths in GB/s and latency in ns, from the CPUs of one node to the memory of one node."""

    read: float
    write: float
    copy: float
    latency: float
