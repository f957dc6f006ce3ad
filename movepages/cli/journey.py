"""An array's journey over the nodes and back, measured and checked at every stop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import movepages as mp

from ..system.refusals import Refusal
from .arguments import refuse_too_large
from .cargo import Array, allocate, checksum, touched
from .look import Look, take_look
from .stops import Skip, Step

BALANCING = (
    "automatic NUMA balancing is on: the kernel moves pages by itself, and on Linux 6.1 move_pages "
    "neither sees nor moves those it watches; to turn it off: sysctl kernel.numa_balancing=0"
)


@dataclass
class Journey:
    """An array under way: where it began and what has happened so far.

    Attributes
    ----------
    array : ndarray of float64
        What travels; its end is untouched.
    machine : Topology
        The nodes when it began.
    start : Look
        Where it was.
    balancing : bool
        Whether the kernel moves pages by itself, towards the CPUs that use them.
    stops : list of Step or Skip
        What `travel` has come to.
    unchanged : bool or None
        Whether the contents are what they were; None before the end.
    """

    array: Array
    machine: mp.Topology
    start: Look
    balancing: bool
    _checksum: int
    stops: list[Step | Skip] = field(default_factory=list)
    unchanged: bool | None = None

    @property
    def steps(self) -> list[Step]:
        """The moves."""
        return [stop for stop in self.stops if isinstance(stop, Step)]

    @property
    def skips(self) -> list[Skip]:
        """The nodes left out."""
        return [stop for stop in self.stops if isinstance(stop, Skip)]

    @property
    def looks(self) -> list[Look]:
        """All looks, the first one included."""
        return [self.start, *(step.look for step in self.steps)]

    @property
    def looked(self) -> int:
        """Questions to get_mempolicy: present pages, over all looks."""
        return sum(look.looked for look in self.looks)

    @property
    def verified(self) -> int:
        """Answers of get_mempolicy that agree with movepages."""
        return sum(look.verified for look in self.looks)

    @property
    def restored(self) -> bool:
        """Whether every page is where it was at the start."""
        return self.looks[-1].placement == self.start.placement

    def problems(self) -> list[str]:
        """Return what did not hold, in a sentence each."""
        found = [look.disagreement for look in self.looks if not look.ok]
        found += [step.disagreement for step in self.steps if not step.ok]
        if found and self.balancing:
            found.append(BALANCING)
        if self.unchanged is False:
            found.append("the contents of the array have changed")
        return found

    def travel(self) -> Iterator[Step | Skip]:
        """Move to each other node that is allowed and has room, then back; yield every stop."""
        present = self.start.placement.pages - self.start.placement.absent_pages
        for node in self.machine.allowed_nodes:
            if self.start.placement.pages_per_node.get(node, 0) == present:
                continue
            here = self.looks[-1].placement
            needed = sum(here.bytes_per_node.values()) - here.bytes_per_node.get(node, 0)
            free = mp.topology().nodes[node].memory_free
            # Twice, since a node filled to the last page is trouble for everybody on it.
            if free < 2 * needed:
                self.stops.append(Skip(node=node, free=free, needed=needed))
            else:
                self.stops.append(self._move(node))
            yield self.stops[-1]
        if self.steps:
            self.stops.append(self._move(None))
            yield self.stops[-1]
        self.unchanged = checksum(self.array) == self._checksum

    def _move(self, node: int | None) -> Step:
        before = self.start.placement
        source = tuple(self.looks[-1].placement.bytes_per_node)
        error = ""
        try:
            result = mp.move(self.array, before if node is None else node)
        except mp.MovePagesMemoryError as full:
            # A full node is an outcome to show, with all that was done until then.
            if full.result is None:
                raise
            result, error = full.result, full.strerror or str(full)
        look = take_look(self.array)
        now = look.placement
        if node is None:
            here, wanted = now.status, before.status
            home = (here == wanted) | ((here < 0) & (wanted < 0))
            on_target = int(np.count_nonzero(home))
        else:
            on_target = now.pages_per_node.get(node, 0)
        return Step(
            source=source,
            target=node,
            result=result,
            look=look,
            on_target=on_target,
            error=error,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings for JSON."""
        placement = self.start.placement
        return {
            "movepages": mp.__version__,
            "nodes": list(self.machine.allowed_nodes),
            "numa_balancing": self.balancing,
            "page_size": placement.page_size,
            "array": {
                "address": placement.address,
                "nbytes": placement.nbytes,
                "touched_bytes": touched(self.array).nbytes,
                "pages": placement.pages,
            },
            "start": self.start.as_dict(),
            "steps": [step.as_dict() for step in self.steps],
            "skipped": [skip.as_dict() for skip in self.skips],
            "looks": len(self.looks),
            "looked": self.looked,
            "verified": self.verified,
            "contents_unchanged": self.unchanged,
            "restored": self.restored,
            "problems": self.problems(),
            "ok": not self.problems(),
        }


def begin(nbytes: int) -> Journey:
    """Allocate an array, touch all of it but its end, and look where it came to lie.

    Raises
    ------
    TooLargeError
        More than what is free on the nodes this process may use.
    MovePagesError, OSError
        The kernel, or a sandbox, does not let this process look.
    """
    refuse_too_large(nbytes)
    machine = mp.topology()
    array = allocate(nbytes)
    return Journey(array, machine, take_look(array), _balancing(), checksum(array))


def _balancing() -> bool:
    with Refusal(ValueError):
        return int(Path("/proc/sys/kernel/numa_balancing").read_text()) > 0
    return False
