"""Bandwidth: how fast the CPUs of each node reach the memory of each node, as measured."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from ..system.machine_key import MachineKey
from .bandwidth_figures import FIGURES, Figure, Figures, Pair, Rates
from .plain import by_node

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, kw_only=True)
class Bandwidth:
    """What `measure_bandwidth` found; `str` gives tables of 80 columns.

    Attributes
    ----------
    cpu_nodes : tuple of int
        The nodes whose CPUs were used: the rows of the arrays.
    memory_nodes : tuple of int
        The nodes whose memory was used: the columns of the arrays.
    read, write, copy : ndarray of float
        GB/s (10**9 bytes per second) of all CPUs of a node that this process may use. A write does
        not count the read that a cache does before it. A copy counts the bytes read and the bytes
        written. Both are as in the STREAM benchmark.
    latency : ndarray of float
        Nanoseconds for a load by one CPU, while the others are idle.
    together : mapping of str to Rates
        GB/s of the CPUs of all nodes at once, by where their memory is: "local" (on their own or
        the nearest node), "remote" (on the next node) or "interleaved" (over all `memory_nodes`).
        The last two are missing if only one node has memory.
    nbytes : mapping of int to int
        Bytes that were used on each node with memory.
    notes : tuple of str
        What was left out, and what makes a figure doubtful.
    machine : MachineKey
        The machine and the CPUs and nodes that the process could use.
    measured_at : datetime
        When the measurement ended, in UTC. `measure_bandwidth` may return an older measurement.
    """

    cpu_nodes: tuple[int, ...]
    memory_nodes: tuple[int, ...]
    read: Figures
    write: Figures
    copy: Figures
    latency: Figures
    together: Mapping[str, Rates]
    nbytes: Mapping[int, int]
    machine: MachineKey
    measured_at: datetime
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        for name in FIGURES:
            getattr(self, name).flags.writeable = False

    def pair(self, cpu_node: int, memory_node: int) -> Pair:
        """Return the figures of one pair of nodes.

        Raises
        ------
        KeyError
            This pair was not measured.
        """
        if cpu_node not in self.cpu_nodes or memory_node not in self.memory_nodes:
            raise KeyError(f"CPUs of node {cpu_node} with memory of node {memory_node}")
        at = self.cpu_nodes.index(cpu_node), self.memory_nodes.index(memory_node)
        return Pair(*(float(getattr(self, name)[at]) for name in FIGURES))

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists, strings and numbers, ready for `json.dumps`."""
        return {
            "cpu_nodes": list(self.cpu_nodes),
            "memory_nodes": list(self.memory_nodes),
            **{name: getattr(self, name).tolist() for name in FIGURES},
            "together": {name: rates._asdict() for name, rates in self.together.items()},
            "nbytes": by_node(self.nbytes),
            "machine": self.machine._asdict(),
            "measured_at": self.measured_at.isoformat(timespec="seconds"),
            "notes": list(self.notes),
        }

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the figures to a JSON file that `load` reads; an old file is replaced atomically.

        Parameters
        ----------
        file : path

        Raises
        ------
        OSError
            The file cannot be written.
        """
        from .bandwidth_json import write

        write(file, self.as_dict())

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> Self:
        """Read figures that `save` wrote.

        Parameters
        ----------
        file : path

        Returns
        -------
        Bandwidth

        Raises
        ------
        OSError
            The file cannot be read.
        ValueError
            The file holds something else, or is damaged.
        """
        from .bandwidth_json import fields_in

        return cls(**fields_in(file))

    def plot(self, what: Figure = "read", ax: Axes | None = None) -> Axes:
        """Draw one of the arrays with matplotlib, as a heat map.

        Parameters
        ----------
        what : {"read", "write", "copy", "latency"}
        ax : matplotlib Axes, optional
            Axes to draw into; by default those of a new figure.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ImportError
            matplotlib is missing: install ``movepages[plot]``.
        ValueError
            `what` is none of these.
        """
        if what not in FIGURES:
            raise ValueError(f"what: expected one of {', '.join(FIGURES)}, got {what!r}")
        from ..display.mpl_bandwidth import plot_bandwidth

        return plot_bandwidth(self, what, ax)

    def __str__(self) -> str:
        from ..display.bandwidth_table import table

        return table(self)

    def _repr_html_(self) -> str:
        from ..display.bandwidth_html import bandwidth_html

        return bandwidth_html(self)
