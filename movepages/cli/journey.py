"""An array's journey over the nodes and back, measured and checked at every stop."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

import movepages as mp

from ..units import format_bytes

Array: TypeAlias = "npt.NDArray[np.float64]"

# The last eighth stays untouched, so that absent pages are seen.
_UNTOUCHED = 8
_LOOKS_AT_MOST = 3
# Between two slices Ctrl-C is heard.
_SLICE = 1 << 16


BALANCING = (
    "automatic NUMA balancing is on: the kernel moves pages by itself, and on Linux 6.1 move_pages "
    "neither sees nor moves those it watches; to turn it off: sysctl kernel.numa_balancing=0"
)


class TooLargeError(ValueError):
    """The array asked for is larger than what is free."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """Where every page is, by movepages, and what get_mempolicy says to that.

    Attributes
    ----------
    placement : Placement
        What `movepages.where` said.
    looked : int
        Pages get_mempolicy was asked about: those present and those that were written to. Others
        are absent, and it would fault them in.
    verified : int
        Pages of these which it finds on the same node.
    disagreement : str
        What differs, in one sentence; empty if nothing does.
    """

    placement: mp.Placement
    looked: int
    verified: int
    disagreement: str = ""

    @property
    def ok(self) -> bool:
        """True when both sources agree on every page."""
        return self.verified == self.looked

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings for JSON."""
        nodes = self.placement.bytes_per_node
        return {
            "bytes_per_node": {str(node): count for node, count in nodes.items()},
            "absent_bytes": self.placement.absent_bytes,
            "looked": self.looked,
            "verified": self.verified,
            "disagreement": self.disagreement or None,
        }


@dataclass(frozen=True, kw_only=True)
class Step:
    """One move and the look after it.

    Attributes
    ----------
    source : tuple of int
        Nodes the array was on.
    target : int or None
        The node to move to; None for where every page was at the start.
    result : MoveResult
        What `movepages.move` reported.
    look : Look
        What was found afterwards.
    on_target : int
        Pages which the look found where they were wanted.
    error : str
        Why the move ended early, such as a full node; empty if it did not.
    """

    source: tuple[int, ...]
    target: int | None
    result: mp.MoveResult
    look: Look
    on_target: int
    error: str = ""

    @property
    def reported(self) -> int:
        """Pages which the move reported on their target."""
        return self.result.moved + (self.result.already_there or 0)

    @property
    def gib_per_second(self) -> float | None:
        """Speed over the pages that moved; None when none did."""
        moved = self.result.moved * self.look.placement.page_size
        return moved / 2**30 / self.result.seconds if moved and self.result.seconds else None

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings for JSON."""
        result = self.result
        return {
            "from": list(self.source),
            "to": self.target,
            "pages": result.pages,
            "moved": result.moved,
            "already_there": result.already_there or 0,
            "failed": result.failed,
            "failures": {status.name: count for status, count in result.failures.items()},
            "not_attempted": result.not_attempted,
            "seconds": result.seconds,
            "gib_per_second": self.gib_per_second,
            "error": self.error or None,
            "found_on_target": self.on_target,
            "look": self.look.as_dict(),
        }


@dataclass(frozen=True, kw_only=True)
class Skip:
    """A node that was left out, as it could become full."""

    node: int
    free: int
    needed: int

    def __str__(self) -> str:
        return (
            f"Node {self.node} is left out: {format_bytes(self.free)} are free there, less than "
            f"twice the {format_bytes(self.needed)} to move."
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
        found += [
            f"the move to {_name(step.target)} reported {step.reported:,} pages on their target, "
            f"a look afterwards found {step.on_target:,}"
            for step in self.steps
            if step.reported != step.on_target
        ]
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
        self.unchanged = _checksum(self.array) == self._checksum

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
                "touched_bytes": _touched(self.array).nbytes,
                "pages": placement.pages,
            },
            "start": self.start.as_dict(),
            "steps": [step.as_dict() for step in self.steps],
            "skipped": [
                {"node": skip.node, "memory_free": skip.free, "needed": skip.needed}
                for skip in self.skips
            ],
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
    machine = mp.topology()
    free = sum(machine.nodes[node].memory_free for node in machine.allowed_nodes)
    if nbytes > free:
        raise TooLargeError(
            f"an array of {format_bytes(nbytes)} is more than the {format_bytes(free)} that are "
            "free on the nodes this process may use"
        )
    array = np.empty(-(-nbytes // np.dtype(np.float64).itemsize), np.float64)
    part = _touched(array)
    for at in range(0, len(part), _SLICE):
        piece = part[at : at + _SLICE]
        piece[:] = np.arange(at, at + len(piece))
    return Journey(array, machine, take_look(array), _balancing(), _checksum(array))


def take_look(array: Array) -> Look:
    """Ask movepages where every page is, and get_mempolicy about each that holds something.

    The kernel's NUMA balancing may move a page between the two questions, and may hide it from the
    first until somebody touches it, as the second does. So both are asked again when the answers
    differ; a wrong answer stays wrong.
    """
    for _ in range(_LOOKS_AT_MOST):
        look = _compare(mp.where(array), _touched(array).nbytes)
        if look.ok:
            break
    return look


def _compare(placement: mp.Placement, touched: int) -> Look:
    every, status = placement.addresses, placement.status
    asked = (status >= 0) | (every < placement.address + touched)
    addresses, expected = every[asked], status[asked]
    verified, disagreement = 0, ""
    for at in range(0, len(addresses), _SLICE):
        witness = mp.mempolicy_nodes(addresses[at : at + _SLICE])
        differs = np.flatnonzero(witness != expected[at : at + _SLICE])
        verified += len(witness) - len(differs)
        if len(differs) and not disagreement:
            first = int(differs[0])
            disagreement = (
                f"of the page at {addresses[at + first]:#x} movepages says "
                f"{_answer(int(expected[at + first]))}, get_mempolicy says "
                f"{_answer(int(witness[first]))}"
            )
    if disagreement:
        differing = len(addresses) - verified
        disagreement += f"; {differing:,} of {len(addresses):,} pages differ"
    return Look(
        placement=placement, looked=len(addresses), verified=verified, disagreement=disagreement
    )


def _answer(code: int) -> str:
    return f"node {code}" if code >= 0 else f"{os.strerror(-code)!r} (errno {-code})"


def _balancing() -> bool:
    try:
        return int(Path("/proc/sys/kernel/numa_balancing").read_text()) > 0
    except (OSError, ValueError):
        return False


def _name(target: int | None) -> str:
    return "where it was" if target is None else f"node {target}"


def _touched(array: Array) -> Array:
    return array[: len(array) - len(array) // _UNTOUCHED]


def _checksum(array: Array) -> int:
    """Sum up the touched part: reading the rest would make its pages present."""
    value, part = 0, _touched(array)
    for at in range(0, len(part), _SLICE):
        value = zlib.crc32(part[at : at + _SLICE].data, value)
    return value
