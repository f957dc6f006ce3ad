"""Automatic NUMA balancing: whether the kernel moves pages to the threads that use them."""

from __future__ import annotations

from .._core import read_file
from .refusals import Refusal

# NUMA_BALANCING_NORMAL of include/linux/sched/sysctl.h; the other bit is for memory tiers alone.
_NORMAL = 1


def is_balancing() -> bool:
    """Tell whether the kernel moves pages to the threads that use them."""
    with Refusal():
        text = read_file("/proc/sys/kernel/numa_balancing").strip()
        return text.isdigit() and bool(int(text) & _NORMAL)
    return False
