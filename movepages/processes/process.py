"""Work with another process: list its mappings, and query and move their pages."""

from __future__ import annotations

import operator
import os
import re
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..layouts.targets import MoveTarget
from ..migration.move import move
from ..pages.buffers import Region
from ..query.procfs import read_process
from ..query.readings import mappings_read_once
from ..query.where import where
from ..results.outcome import MoveResult
from ..results.placement import Placement
from ..system.maps import parse_lines
from ..system.numa_maps import memory_of
from ..system.topology_reader import read_topology

Regions: TypeAlias = "npt.NDArray[np.void]"

# The names of two modes contain a space.
_POLICY = re.compile(rb"[0-9a-f]+ ((?:prefer \(many\)|weighted interleave|[^ :]+)(?::[^ ]+)?)")
_TRIES = 4


class Process:
    """A process as described by its /proc/PID/maps and numa_maps; see `process`.

    Attributes
    ----------
    pid : int
    nodes : tuple of int
        The node of each column in the field ``bytes`` of `regions`.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.nodes = read_topology().memory_nodes

    def __repr__(self) -> str:
        return f"process({self.pid})"

    def regions(self) -> Regions:
        """Return the current mappings of the process.

        Returns
        -------
        structured ndarray
            One row for each mapping, in address order, with the fields ``address`` (uintp),
            ``nbytes`` (int64), ``permissions`` (such as "rw-p"), ``name`` (a file, "[heap]" or ""),
            ``policy`` (as in numa_maps), ``page_size`` (int64: the size of its pages, that of huge
            pages for hugetlbfs, 0 if it has no memory) and ``bytes`` (int64: memory of the mapping
            on each of `nodes`).

        Raises
        ------
        MovePagesError
            There is no such process (also a ProcessLookupError), or this process may not look
            at it.

        Notes
        -----
        maps is read, then numa_maps, and both again if a mapping changed in between. A
        mapping that changes each time has no ``bytes`` and no ``policy``. A mapping whose end alone
        moves, such as a growing heap, counts as unchanged.
        Source: ``show_map_vma`` and ``show_numa_map`` in the kernel's fs/proc/task_mmu.c.

        Examples
        --------
        >>> r = process().regions()
        >>> bool((r["bytes"].sum(axis=1) <= r["nbytes"]).all())
        True
        """
        for _ in range(_TRIES):
            before = parse_lines(read_process(self.pid, "maps"))
            numa = read_process(self.pid, "numa_maps")
            lines = parse_lines(read_process(self.pid, "maps"))
            # Ignore the end, so that a growing heap counts as the same mapping.
            steady = {mapping._replace(end=0) for mapping in before}
            if steady.issuperset(mapping._replace(end=0) for mapping in lines):
                break
        found = np.zeros(len(lines), self._dtype())
        placed = {int(line.split(b" ", 1)[0], 16): line for line in numa.split(b"\n")[:-1]}
        column = {node: index for index, node in enumerate(self.nodes)}
        for row, mapping in zip(found, lines, strict=True):
            row["address"], row["nbytes"] = mapping.start, mapping.end - mapping.start
            row["permissions"] = mapping.permissions.decode()
            row["name"] = os.fsdecode(mapping.name)
            same = mapping._replace(end=0) in steady
            line = placed.get(mapping.start, b"") if same else b""
            policy = _POLICY.match(line)
            row["policy"] = policy[1].decode() if policy else ""
            row["page_size"], held = memory_of(line)
            for node, pages in held.items():
                if node in column:
                    row["bytes"][column[node]] = pages * row["page_size"]
            # The mapping shrank after its pages were counted.
            if row["bytes"].sum() > row["nbytes"]:
                row["bytes"], row["policy"], row["page_size"] = 0, "", 0
        return found

    def where(self, regions: Regions | None = None) -> list[Placement]:
        """Find the nodes of the pages of some regions, or of all regions.

        Parameters
        ----------
        regions : structured ndarray, optional
            Rows of `regions`, such as ``r[r["bytes"].sum(axis=1) > 1 << 20]``; by default all.

        Returns
        -------
        list of Placement
            One for each row.

        Raises
        ------
        MovePagesError
            There is no such process (also a ProcessLookupError), or this process may not look
            at it.

        Notes
        -----
        The mappings are read once for all regions. If they change during the call, the reasons for
        absent pages may be outdated.

        Examples
        --------
        >>> len(process().where()) > 1
        True
        """
        with mappings_read_once():
            return [where(each) for each in self._as_regions(regions)]

    def move(
        self, target: MoveTarget, regions: Regions | None = None, **how: Any
    ) -> list[MoveResult]:
        """Move the pages of some regions, or of all regions with memory.

        Parameters
        ----------
        target : int, Layout ...
            As for `movepages.move`; it applies to each region separately.
        regions : structured ndarray, optional
            As for `where`; by default the regions that have memory.
        **how
            As for `movepages.move`: ``flags``, ``progress``, ``on_error`` ...

        Returns
        -------
        list of MoveResult
            One for each row.

        Raises
        ------
        MovePagesError
            As for `movepages.move`. Regions before the one that failed are done, and later ones are
            not attempted. With ``on_error="warn"`` the call goes on instead.

        Notes
        -----
        The mappings are read once, as by `where`.

        Examples
        --------
        >>> node = topology().allowed_nodes[0]
        >>> sum(r.failed for r in process().move(node, process().regions()[:1])) >= 0
        True
        """
        if regions is None:
            regions = self.regions()
            regions = regions[regions["bytes"].sum(axis=1) > 0]
        with mappings_read_once():
            return [move(each, target, **how) for each in self._as_regions(regions)]

    def _as_regions(self, regions: Regions | None) -> list[Region]:
        rows = np.atleast_1d(self.regions() if regions is None else regions)
        return [Region(int(row["address"]), int(row["nbytes"]), self.pid) for row in rows]

    def _dtype(self) -> np.dtype[np.void]:
        return np.dtype(
            [
                ("address", np.uintp),
                ("nbytes", np.int64),
                ("permissions", "U4"),
                ("name", object),
                ("policy", object),
                ("page_size", np.int64),
                ("bytes", np.int64, (len(self.nodes),)),
            ]
        )


def process(pid: int = 0) -> Process:
    """Return an object that lists the regions of a process, and queries and moves their pages.

    Parameters
    ----------
    pid : int, default 0
        The number of the process; 0 is the calling process.

    Returns
    -------
    Process
        The object. Its methods raise an error if there is no process with this number.

    Raises
    ------
    TypeError, ValueError
        `pid` is not the number of a process.
    TopologyError
        The nodes cannot be read.

    Examples
    --------
    >>> p = process()
    >>> r = p.regions()
    >>> heap = r[r["name"] == "[heap]"]
    >>> sum(each.absent_bytes for each in p.where(heap)) >= 0
    True
    """
    if isinstance(pid, (bool, np.bool_)) or not hasattr(pid, "__index__"):
        raise TypeError(f"pid: expected the number of a process, got {pid!r}")
    number = operator.index(pid)
    if number < 0:
        raise ValueError(f"pid: expected the number of a process, got {pid}")
    return Process(number)
