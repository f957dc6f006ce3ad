"""One measurement of all figures: memory on each node, and the CPUs that use it."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Self, TypeAlias

import numpy as np

from ..layouts.blocks import blocks
from ..layouts.interleave import interleave
from ..layouts.targets import Layout
from ..migration.layout_targets import targets
from ..pages.buffers import footprint_of
from ..query.where import where
from ..results.bandwidth_figures import FIGURES, Figures, Rates
from ..results.outcome import MovePagesPermissionError, MovePagesUnsupportedError, make_error
from ..system.refusals import Refusal
from ..units import format_bytes
from .bandwidth_places import FEWEST_IN_HUGE_PAGES, Places
from .bandwidth_rounds import Bytes, Part, divide, measure_latencies, measure_rates, part_nbytes
from .creation import empty
from .placed_pages import free_pages
from .policies import bind

Progress: TypeAlias = "Callable[[int, int], object]"


class Run:
    """One measurement; its memory is freed at the end of its `with` block.

    Parameters
    ----------
    places : Places
    seconds : float
        Time for each figure.
    progress : callable or None
        As for `measure_bandwidth`.
    """

    def __init__(self, places: Places, seconds: float, progress: Progress | None) -> None:
        self._places, self._seconds, self._progress = places, seconds, progress
        self._ways = {"local": places.homes}
        if remote := _next_nodes(places):
            self._ways["remote"] = remote
        self._memories: dict[int, Bytes] = {}
        self._small = self._done = 0
        rows, columns = len(places.cpus), len(places.nbytes)
        self._figures = 4 * rows * columns + 3 * (len(self._ways) + (columns > 1))

    def matrix(self) -> dict[str, Figures]:
        """Return the figures of each pair of nodes, by their names."""
        cpus, nbytes = self._places.cpus, self._places.nbytes
        found: dict[str, Figures] = {name: np.empty((len(cpus), len(nbytes))) for name in FIGURES}
        for column, node in enumerate(nbytes):
            layout = blocks([node])
            memory = self._memories[node] = _allocate(nbytes[node], layout)
            _keep_there(memory, [node], "bind")
            self._require(memory, layout)
            found["latency"][:, column] = self._latencies(memory)
            for row, some in enumerate(cpus.values()):
                rates = self._rates(divide(memory, some))
                for name, rate in rates._asdict().items():
                    found[name][row, column] = rate
            self._require(memory, layout)
        return found

    def together(self) -> dict[str, Rates]:
        """Return the figures of the CPUs of all nodes at once; after `matrix`."""
        found = {name: self._rates(self._parts(way)) for name, way in self._ways.items()}
        nodes = tuple(self._places.nbytes)
        if len(nodes) == 1:
            return found
        self._free()
        nbytes, layout = min(self._places.nbytes.values()) * len(nodes), interleave(nodes)
        memory = self._memories[nodes[0]] = _allocate(nbytes, layout, len(nodes))
        _keep_there(memory, nodes, "interleave")
        self._require(memory, layout)
        found["interleaved"] = self._rates(divide(memory, [*chain(*self._places.cpus.values())]))
        self._require(memory, layout)
        return found

    def notes(self) -> list[str]:
        """Return a sentence about huge pages that the kernel did not have."""
        if not self._small:
            return []
        return [
            f"Up to {format_bytes(self._small)} of the memory were in small pages: latencies "
            "include misses of the TLB."
        ]

    def _require(self, memory: Bytes, layout: Layout) -> None:
        """Raise unless every page is where its layout wants it, before it is measured and after."""
        placement = where(memory)
        if not np.array_equal(placement.status, targets(memory, layout)):
            raise make_error(
                errno.EIO,
                f"memory is not where it was allocated ({placement}): it cannot be measured",
            )
        if placement.huge_bytes is not None:
            self._small = max(self._small, placement.nbytes - placement.huge_bytes)

    def _parts(self, way: Mapping[int, int]) -> list[Part]:
        """Return equal parts for all CPUs, each on the node that `way` gives their own node."""
        users: dict[int, list[int]] = {}
        for node, to in way.items():
            users.setdefault(to, []).extend(self._places.cpus[node])
        memories = self._memories
        each = min(part_nbytes(len(memories[to]), len(cpus)) for to, cpus in users.items())
        return [part for to, cpus in users.items() for part in divide(memories[to], cpus, each)]

    def _rates(self, parts: list[Part]) -> Rates:
        return measure_rates(parts, self._seconds, self._tell)

    def _latencies(self, memory: Bytes) -> list[float]:
        caches = self._places.caches
        first = [cpus[0] for cpus in self._places.cpus.values()]
        found = measure_latencies(memory, caches.line, first, self._seconds, caches.largest)
        for _ in found:
            self._tell()
        return found

    def _tell(self) -> None:
        self._done += 1
        if self._progress is not None and self._progress(self._done, self._figures) is False:
            raise make_error(
                errno.ECANCELED,
                f"the progress callback returned False after {self._done} of {self._figures} "
                "figures; nothing was kept",
            )

    def _free(self) -> None:
        # Tracebacks keep the arrays, but not their pages.
        for memory in self._memories.values():
            free_pages(footprint_of(memory))
        self._memories.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._free()


def _allocate(nbytes: int, layout: Layout, count: int = 1) -> Bytes:
    """Return new memory on `count` nodes, in huge pages if this kernel has them."""
    try:
        huge = nbytes >= FEWEST_IN_HUGE_PAGES * count
        return empty(nbytes, np.uint8, layout=layout, huge="thp" if huge else None)
    except MovePagesUnsupportedError:
        return empty(nbytes, np.uint8, layout=layout)


def _keep_there(memory: Bytes, nodes: Sequence[int], mode: str) -> None:
    """Give memory a policy, so that automatic balancing does not move it to those who use it."""
    # In a sandbox that refuses policies, the check afterwards suffices.
    with Refusal(MovePagesPermissionError, MovePagesUnsupportedError):
        bind(memory, nodes, mode=mode)


def _next_nodes(places: Places) -> dict[int, int]:
    """Return the node after the home of each node with CPUs; empty if there is no other."""
    nodes = sorted(set(places.homes.values()))
    if len(nodes) == 1:
        nodes = sorted(places.nbytes)
    if len(nodes) == 1:
        return {}
    after = dict(zip(nodes, (*nodes[1:], nodes[0]), strict=True))
    return {node: after[home] for node, home in places.homes.items()}
