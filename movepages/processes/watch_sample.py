"""WatchSample: memory of a process on each node at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..results.plain import by_node, picked
from ..units import format_bytes


@dataclass(frozen=True, kw_only=True)
class WatchSample:
    """Memory of a process on each node at one moment, and how fast it changes.

    Attributes
    ----------
    pid : int
        The number of the process.
    name : str
        The name in /proc/PID/comm. It can contain any characters: escape it before you print it.
    time : float
        Seconds since 1970, as by `time.time`.
    seconds : float
        Seconds on the clock of `time.monotonic`, for differences between samples.
    bytes_per_node : mapping of int to int
        Bytes on each node with memory, zeros included.
    bytes_per_second : mapping of int to float
        Change on each node since the previous sample; 0.0 in the first.
    """

    pid: int
    name: str
    time: float
    seconds: float
    bytes_per_node: Mapping[int, int]
    bytes_per_second: Mapping[int, float]

    @property
    def nbytes(self) -> int:
        """Bytes on all nodes."""
        return sum(self.bytes_per_node.values())

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`."""
        return picked(self, "pid name time seconds") | {
            "bytes_per_node": by_node(self.bytes_per_node),
            "bytes_per_second": by_node(self.bytes_per_second),
            "nbytes": self.nbytes,
        }

    def __str__(self) -> str:
        rates = self.bytes_per_second
        parts = [
            f"node {node}: {format_bytes(n)} ({change(rates[node])})"
            for node, n in self.bytes_per_node.items()
            if n or rates[node]
        ]
        return ", ".join(parts) or "no memory"


def change(rate: float) -> str:
    """Return a rate in bytes per second as text.

    Examples
    --------
    >>> change(-2048.0), change(0.2)
    ('-2 KiB/s', '-')
    """
    sign = "+" if rate > 0 else "-"
    return f"{sign}{format_bytes(abs(round(rate)))}/s" if round(rate) else "-"
