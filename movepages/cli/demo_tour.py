"""The demo's tour: an array moves to every node and back; a second source checks each report."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

import movepages as mp

from ..display.sampling import nodes_of
from ..system.privileges import text_if_any
from .arguments import refuse_too_large

Facts: TypeAlias = dict[str, Any]

_BALANCING = "automatic NUMA balancing is on and may be the cause: see movepages doctor"
_COUNTS = ("pages", "moved", "failed", "not_attempted", "seconds")
_SLICE = 1 << 16
_MOST_LOOKS = 3


class Tour:
    """An array, where its pages were at the start and are now, and its moves so far."""

    def __init__(self, nbytes: int) -> None:
        refuse_too_large(nbytes)
        self.machine = mp.topology()
        self.balancing = text_if_any(Path("/proc/sys/kernel/numa_balancing")) not in (None, "0")
        self.array = np.empty(-(-nbytes // 8))
        # The last eighth stays untouched, so that the demo shows absent pages.
        self.touched = self.array[: len(self.array) - len(self.array) // 8]
        for i, part in enumerate(_slices(self.touched)):
            part[:] = np.arange(len(part)) + i * _SLICE
        self._checksum, self.unchanged = self._sum(), True
        self.looks: list[Facts] = []
        self.steps: list[Facts] = []
        self.skipped: list[Facts] = []
        self.problems: list[str] = []
        self.reasons: set[mp.PageStatus] = set()
        self.start = self.here = self._look()

    def travel(self) -> Iterator[Facts]:
        """Move the array to each allowed node that has room, then back; yield each step."""
        for node in self.machine.allowed_nodes:
            if self.start.bytes_per_node.keys() <= {node}:
                continue
            needed = sum(n for at, n in self.here.bytes_per_node.items() if at != node)
            free = mp.topology().nodes[node].memory_free
            # A full node slows every process that uses it, so require twice the room.
            if free < 2 * needed:
                self.skipped.append({"node": node, "memory_free": free, "needed": needed})
            else:
                yield self._move(node)
        if self.steps:
            yield self._move(None)
        if self.problems and self.balancing:
            self.problems.append(_BALANCING)
        self.unchanged = self._sum() == self._checksum
        if not self.unchanged:
            self.problems.append("the contents of the array have changed")

    def _move(self, node: int | None) -> Facts:
        source, error = list(self.here.bytes_per_node), None
        try:
            result = mp.move(self.array, self.start if node is None else node)
        except mp.MovePagesMemoryError as full:
            # A full node is a result to show, along with the pages moved before it was full.
            if full.result is None:
                raise
            result, error = full.result, full.strerror or str(full)
        self.here = self._look()
        wanted = nodes_of(self.start.status) if node is None else node
        found = int((nodes_of(self.here.status) == wanted).sum())
        gib = result.moved * self.here.page_size / 2**30
        step = {"from": source, "to": node} | {name: getattr(result, name) for name in _COUNTS}
        step |= {
            "already_there": result.already_there or 0,
            "failures": {status.name: count for status, count in result.failures.items()},
            "gib_per_second": gib / result.seconds if gib and result.seconds else None,
            "error": error,
            "found_on_target": found,
            "look": self.looks[-1],
        }
        self.steps.append(step)
        self.reasons.update(result.failures)
        reported = step["moved"] + step["already_there"]
        if reported != found:
            self.problems.append(
                f"the move to {target_of(step)} reported {reported:,} pages on their target, "
                f"but a look afterwards found {found:,}"
            )
        return step

    def _look(self) -> mp.Placement:
        """Query all pages from both sources; retry if they differ, as balancing may move pages."""
        for _ in range(_MOST_LOOKS):
            placement = mp.where(self.array)
            look = _compare(placement, self.touched.nbytes)
            if not look["disagreement"]:
                break
        else:
            self.problems.append(look["disagreement"])
        self.looks.append(look)
        return placement

    def _sum(self) -> int:
        """Return a checksum of the touched part; reading the rest would fault its pages in."""
        value = 0
        for part in _slices(self.touched):
            value = zlib.crc32(part.data, value)
        return value

    def as_dict(self) -> Facts:
        """Return the JSON object."""
        array = {name: getattr(self.start, name) for name in ("address", "nbytes", "pages")}
        return {
            "movepages": mp.__version__,
            "nodes": list(self.machine.allowed_nodes),
            "numa_balancing": self.balancing,
            "page_size": self.start.page_size,
            "array": array | {"touched_bytes": self.touched.nbytes},
            "start": self.looks[0],
            "steps": self.steps,
            "skipped": self.skipped,
            "looks": len(self.looks),
            "looked": sum(look["looked"] for look in self.looks),
            "verified": sum(look["verified"] for look in self.looks),
            "contents_unchanged": self.unchanged,
            "restored": self.here == self.start,
            "problems": self.problems,
            "ok": not self.problems,
        }


def target_of(step: Facts) -> str:
    """Return where a step moves the array to."""
    return "the start" if step["to"] is None else f"node {step['to']}"


def _slices(array: Any) -> list[Any]:
    """Cut an array into slices, because Ctrl-C takes effect only between two calls."""
    return [array[at : at + _SLICE] for at in range(0, len(array), _SLICE)]


def _compare(placement: mp.Placement, written: int) -> Facts:
    """Compare present and written pages with get_mempolicy(2), which faults others in."""
    every, status = placement.addresses, placement.status
    asked = (status >= 0) | (every < placement.address + written)
    addresses, expected = every[asked], status[asked]
    witness = np.concatenate([mp.mempolicy_nodes(part) for part in _slices(addresses)])
    differs = np.flatnonzero(witness != expected)
    disagreement = None
    if len(differs):
        first = differs[0]
        disagreement = (
            f"for the page at {addresses[first]:#x}, movepages says {_answer(expected[first])}, "
            f"get_mempolicy says {_answer(witness[first])}; "
            f"{len(differs):,} of {len(addresses):,} pages differ"
        )
    return {
        "bytes_per_node": {str(node): count for node, count in placement.bytes_per_node.items()},
        "absent_bytes": placement.absent_bytes,
        "looked": len(addresses),
        "verified": len(addresses) - len(differs),
        "disagreement": disagreement,
    }


def _answer(code: int) -> str:
    return f"node {code}" if code >= 0 else f"{os.strerror(-code)!r} (errno {-code})"
