"""The demo's tour: an array moves to every node and back; a second source checks each report."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

import movepages as mp

from ..display.sampling import nodes_of
from ..system.privileges import text_if_any
from ..units import format_bytes
from .arguments import refuse_too_large

Facts: TypeAlias = dict[str, Any]

_COUNTS = ("pages", "moved", "already_there", "failed", "not_attempted", "seconds")
_SLICE = 1 << 16


class Tour:
    """An array, where its pages were at the start and are now, and its moves so far."""

    def __init__(self, nbytes: int) -> None:
        refuse_too_large(nbytes)
        self.machine = mp.topology()
        self.balancing = text_if_any(Path("/proc/sys/kernel/numa_balancing")) not in (None, "0")
        # In memory of its own: what malloc hands out may share pages with other objects.
        self.array = mp.empty(-(-nbytes // 8))
        # The last eighth stays untouched, so that the demo shows absent pages.
        self.touched = self.array[: len(self.array) - len(self.array) // 8]
        for part, values in self._contents():
            part[:] = values
        self.unchanged = True
        self.looks: list[Facts] = []
        self.steps: list[Facts] = []
        self.skipped: list[Facts] = []
        self.problems: list[str] = []
        self.remarks: set[str] = set()
        self._look()
        self.start = self.here

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
                room = f"{format_bytes(free)} free, not twice the {format_bytes(needed)} to move"
                self.remarks.add(f"Node {node} is left out: it has {room}.")
            else:
                yield self._move(node)
        if self.steps:
            yield self._move(None)
        if len(self.machine.allowed_nodes) == 1:
            self.remarks.add("This machine has one NUMA node with memory to use: nothing moves.")
        elif self.here != self.start:
            self.remarks.add("Not every page is back where it was at the start.")
        if self.problems and self.balancing:
            self.problems.append("automatic NUMA balancing may be the cause; see movepages doctor")
        self.unchanged = all((part == values).all() for part, values in self._contents())
        if not self.unchanged:
            self.problems.append("the contents of the array have changed")

    def _contents(self) -> Iterator[tuple[Any, Any]]:
        """Yield slices and the values they hold; Ctrl-C takes effect between two of them."""
        for at in range(0, len(self.touched), _SLICE):
            part = self.touched[at : at + _SLICE]
            yield part, np.arange(at, at + len(part))

    def _move(self, node: int | None) -> Facts:
        source, error = list(self.here.bytes_per_node), None
        try:
            result = mp.move(self.array, self.start if node is None else node)
        except mp.MovePagesMemoryError as full:
            # A full node is a result to show, along with the pages moved before it was full.
            if full.result is None:
                raise
            result, error = full.result, full.strerror or str(full)
            self.remarks.add(f"To {target_of(node)}: {error}.")
        self._look()
        gib = result.moved * self.here.page_size / 2**30
        wanted = nodes_of(self.start.status) if node is None else node
        found = int((nodes_of(self.here.status) == wanted).sum())
        step: Facts = {name: getattr(result, name) or 0 for name in _COUNTS}
        step |= {
            "from": source,
            "to": node,
            "failures": {status.name: count for status, count in result.failures.items()},
            "gib_per_second": gib / result.seconds if gib and result.seconds else None,
            "error": error,
            "found_on_target": found,
            "look": self.looks[-1],
        }
        self.steps.append(step)
        self.remarks.update(f"Not there: {s.name}, {s.meaning}." for s in result.failures)
        if (reported := step["moved"] + step["already_there"]) != found:
            self.problems.append(
                f"the move to {target_of(node)} reported {reported:,} pages on their target, "
                f"but a look afterwards found {found:,}"
            )
        return step

    def _look(self) -> None:
        """Query all pages from both sources; retry if they differ, as balancing may move pages."""
        for _ in range(3):
            here = self.here = mp.where(self.array)
            pages, status = here.addresses, here.status
            # get_mempolicy(2) faults untouched pages in, so skip those that are absent.
            asked = (status >= 0) | (pages < here.address + self.touched.nbytes)
            pages, status = pages[asked], status[asked]
            witness = mp.mempolicy_nodes(pages)
            wrong = np.flatnonzero(witness != status)
            if not len(wrong):
                break
        look: Facts = {
            "bytes_per_node": here.bytes_per_node,
            "absent_bytes": here.absent_bytes,
            "looked": len(pages),
            "verified": len(pages) - len(wrong),
            "disagreement": None,
        }
        if len(wrong):
            first = wrong[0]
            look["disagreement"] = (
                f"for the page at {pages[first]:#x}, movepages says {_answer(status[first])}, "
                f"get_mempolicy says {_answer(witness[first])}; "
                f"{len(wrong):,} of {len(pages):,} pages differ"
            )
            self.problems.append(look["disagreement"])
        self.looks.append(look)

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


def target_of(node: int | None) -> str:
    """Return where a step moves the array to."""
    return "the start" if node is None else f"node {node}"


def _answer(code: int) -> str:
    return f"node {code}" if code >= 0 else f"{os.strerror(-code)!r} (errno {-code})"
