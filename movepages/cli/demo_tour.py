"""The demo's tour: an array moves to every node and back; a second source checks each report."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

import movepages as mp

from ..system.refusals import Refusal
from ..units import format_bytes
from .arguments import refuse_too_large

Facts: TypeAlias = dict[str, Any]

BALANCING = (
    "automatic NUMA balancing is on: the kernel moves pages by itself, and on Linux 6.1 move_pages "
    "neither sees nor moves pages it watches; turn it off with: sysctl kernel.numa_balancing=0"
)
# Pages are handled in slices, because Ctrl-C takes effect only between two calls.
_SLICE = 1 << 16
# The last eighth stays untouched, so that the demo shows absent pages.
_UNTOUCHED = 8
_MOST_LOOKS = 3


class Look(NamedTuple):
    """A placement from `where`, and how get_mempolicy(2) compares, as in the JSON."""

    placement: mp.Placement
    facts: Facts


class Tour:
    """An array, its moves so far, and its placement after each move."""

    def __init__(self, nbytes: int) -> None:
        refuse_too_large(nbytes)
        self.machine = mp.topology()
        self.array = np.empty(-(-nbytes // 8), np.float64)
        self.touched = self.array[: len(self.array) - len(self.array) // _UNTOUCHED]
        for at in range(0, len(self.touched), _SLICE):
            part = self.touched[at : at + _SLICE]
            part[:] = np.arange(at, at + len(part))
        self.looks = [self._look()]
        self.results: list[mp.MoveResult] = []
        self.steps: list[Facts] = []
        self.skipped: list[Facts] = []
        self.unchanged: bool | None = None
        self.balancing = _balancing()
        self._checksum = self._sum()

    def travel(self) -> Iterator[Facts]:
        """Move the array to each allowed node that has room, then back; yield each step."""
        start = self.looks[0].placement
        for node in self.machine.allowed_nodes:
            if start.pages_per_node.get(node, 0) == start.pages - start.absent_pages:
                continue
            here = self.looks[-1].placement.bytes_per_node
            needed = sum(here.values()) - here.get(node, 0)
            free = mp.topology().nodes[node].memory_free
            # A full node slows every process that uses it, so require twice the room.
            if free < 2 * needed:
                self.skipped.append({"node": node, "memory_free": free, "needed": needed})
            else:
                yield self._move(node)
        if self.steps:
            yield self._move(None)
        self.unchanged = self._sum() == self._checksum

    def _move(self, node: int | None) -> Facts:
        start, source = self.looks[0].placement, list(self.looks[-1].placement.bytes_per_node)
        error = None
        try:
            result = mp.move(self.array, start if node is None else node)
        except mp.MovePagesMemoryError as full:
            # A full node is a result to show, along with the pages moved before it was full.
            if full.result is None:
                raise
            result, error = full.result, full.strerror or str(full)
        look = self._look()
        here, wanted = look.placement.status, start.status if node is None else node
        on_target = (here == wanted) | ((here < 0) & (np.asarray(wanted) < 0))
        moved_bytes = result.moved * start.page_size
        self.looks.append(look)
        self.results.append(result)
        self.steps.append({
            "from": source,
            "to": node,
            "pages": result.pages,
            "moved": result.moved,
            "already_there": result.already_there or 0,
            "failed": result.failed,
            "failures": {status.name: count for status, count in result.failures.items()},
            "not_attempted": result.not_attempted,
            "seconds": result.seconds,
            "gib_per_second": moved_bytes / 2**30 / result.seconds
            if moved_bytes and result.seconds
            else None,
            "error": error,
            "found_on_target": int(np.count_nonzero(on_target)),
            "look": look.facts,
        })  # fmt: skip
        return self.steps[-1]

    def _look(self) -> Look:
        """Query all pages from both sources; retry if they differ, as balancing may move pages."""
        for _ in range(_MOST_LOOKS):
            look = _compare(mp.where(self.array), self.touched.nbytes)
            if not look.facts["disagreement"]:
                break
        return look

    def _sum(self) -> int:
        """Return a checksum of the touched part; reading the rest would fault its pages in."""
        value = 0
        for at in range(0, len(self.touched), _SLICE):
            value = zlib.crc32(self.touched[at : at + _SLICE].data, value)
        return value

    def total(self, name: str) -> int:
        """Return the sum of "looked" or "verified" over all looks."""
        return sum(look.facts[name] for look in self.looks)

    @property
    def restored(self) -> bool:
        """Whether every page is where it was at the start."""
        return self.looks[-1].placement == self.looks[0].placement

    def problems(self) -> list[str]:
        """Return a sentence for each check that failed."""
        found = [each.facts["disagreement"] for each in self.looks if each.facts["disagreement"]]
        for step in self.steps:
            reported = step["moved"] + step["already_there"]
            if reported != step["found_on_target"]:
                where = "the start" if step["to"] is None else f"node {step['to']}"
                found.append(
                    f"the move to {where} reported {reported:,} pages on their target, "
                    f"but a look afterwards found {step['found_on_target']:,}"
                )
        if found and self.balancing:
            found.append(BALANCING)
        if self.unchanged is False:
            found.append("the contents of the array have changed")
        return found

    def as_dict(self) -> Facts:
        """Return the JSON object."""
        placement = self.looks[0].placement
        return {
            "movepages": mp.__version__,
            "nodes": list(self.machine.allowed_nodes),
            "numa_balancing": self.balancing,
            "page_size": placement.page_size,
            "array": {
                "address": placement.address,
                "nbytes": placement.nbytes,
                "touched_bytes": self.touched.nbytes,
                "pages": placement.pages,
            },
            "start": self.looks[0].facts,
            "steps": self.steps,
            "skipped": self.skipped,
            "looks": len(self.looks),
            "looked": self.total("looked"),
            "verified": self.total("verified"),
            "contents_unchanged": self.unchanged,
            "restored": self.restored,
            "problems": self.problems(),
            "ok": not self.problems(),
        }


def describe_skip(skip: Facts) -> str:
    """Return why a node was left out."""
    return (
        f"Node {skip['node']} is left out: it has {format_bytes(skip['memory_free'])} free, "
        f"less than twice the {format_bytes(skip['needed'])} to move."
    )


def _compare(placement: mp.Placement, written: int) -> Look:
    """Compare present and written pages with get_mempolicy(2), which faults others in."""
    every, status = placement.addresses, placement.status
    asked = (status >= 0) | (every < placement.address + written)
    addresses, expected = every[asked], status[asked]
    parts = range(0, len(addresses), _SLICE)
    witness = [mp.mempolicy_nodes(addresses[at : at + _SLICE]) for at in parts]
    differs: npt.NDArray[np.int64] = np.flatnonzero(
        np.concatenate([np.empty(0, np.int32), *witness]) != expected
    )
    disagreement = None
    if len(differs):
        first = int(differs[0])
        found = int(witness[first // _SLICE][first % _SLICE])
        disagreement = (
            f"for the page at {addresses[first]:#x}, "
            f"movepages says {_answer(int(expected[first]))}, get_mempolicy says {_answer(found)}; "
            f"{len(differs):,} of {len(addresses):,} pages differ"
        )
    facts = {
        "bytes_per_node": {str(node): count for node, count in placement.bytes_per_node.items()},
        "absent_bytes": placement.absent_bytes,
        "looked": len(addresses),
        "verified": len(addresses) - len(differs),
        "disagreement": disagreement,
    }
    return Look(placement, facts)


def _answer(code: int) -> str:
    return f"node {code}" if code >= 0 else f"{os.strerror(-code)!r} (errno {-code})"


def _balancing() -> bool:
    with Refusal(ValueError):
        return int(Path("/proc/sys/kernel/numa_balancing").read_text()) > 0
    return False
