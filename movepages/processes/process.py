"""Work with another process: list its mappings, and query and move their pages."""

from __future__ import annotations

import mmap
import operator
import os
from typing import Any, SupportsIndex

import numpy as np

from ..display.escaping import printable
from ..display.frames import pandas
from ..layouts.near import Near
from ..layouts.targets import MoveTarget
from ..migration.move import move
from ..migration.progress import ProgressOption, as_progress, drawing, parts_of
from ..pages.buffers import Region
from ..query.readings import mappings_read_once
from ..query.syscall import MPOL_MF_MOVE
from ..query.where import where
from ..results.outcome import MoveResult
from ..results.placement import Placement
from ..system.log import info
from ..system.topology_reader import read_topology
from .localization import Localization
from .localize import Localize, localize
from .regions import Regions, regions_of
from .usage import name_of


class Process:
    """A process, as /proc/PID/maps and /proc/PID/numa_maps describe it; see `process`.

    Attributes
    ----------
    pid : int
        The number of the process; 0 is the calling process.
    nodes : tuple of int
        The node of each column in the field ``bytes`` of `regions`.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.nodes = read_topology().memory_nodes

    def __repr__(self) -> str:
        name = printable(name_of(self.pid))
        return f"<Process {self.pid}: {name}>" if name else f"<Process {self.pid}>"

    def regions(self) -> Regions:
        """Return the current mappings of the process.

        Returns
        -------
        structured ndarray
            One row for each mapping, in address order, with the fields ``address`` (uintp),
            ``nbytes`` (int64), ``permissions`` (such as "rw-p"), ``name`` (a file, "[heap]" or ""),
            ``policy`` (as in numa_maps), ``page_size`` (int64: the size of its pages, which for
            hugetlbfs is that of its huge pages; 0 if it has no memory), ``mapmax`` (int64: how
            often the most shared of its pages is mapped, by all processes together) and ``bytes``
            (int64: memory of the mapping on each of `nodes`).

        Raises
        ------
        MovePagesError
            There is no such process (also a ProcessLookupError), or this process may not
            inspect it.

        Notes
        -----
        maps is read, then numa_maps, and both again if a mapping changed in between. A mapping that
        keeps changing gets no ``bytes`` and no ``policy``. A mapping of which only the end moves,
        such as a growing heap, counts as unchanged.
        Source: ``show_map_vma`` and ``show_numa_map`` in the kernel's fs/proc/task_mmu.c.

        Examples
        --------
        >>> r = process().regions()
        >>> bool((r["bytes"].sum(axis=1) <= r["nbytes"]).all())
        True
        """
        return regions_of(self.pid, self.nodes)

    def to_pandas(self, regions: Regions | None = None) -> Any:
        """Return some regions, or all, as a table.

        Parameters
        ----------
        regions : structured ndarray, optional
            Rows of `regions`; by default all. pandas itself cannot convert them, because ``bytes``
            has several values in each row.

        Returns
        -------
        pandas.DataFrame
            The fields of `regions` as columns; instead of ``bytes``, a column for each node:
            ``node0``.

        Raises
        ------
        ImportError
            pandas is missing.
        MovePagesError
            As for `regions`.
        """
        pd = pandas()
        rows = self._rows(regions, "address", "nbytes", "bytes")
        columns = {name: rows[name] for name in rows.dtype.names or () if name != "bytes"}
        columns |= {f"node{node}": rows["bytes"][:, i] for i, node in enumerate(self.nodes)}
        return pd.DataFrame(columns)

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
        TypeError
            `regions` are no such rows.
        MovePagesError
            There is no such process (also a ProcessLookupError), or this process may not
            inspect it.

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
            As for `movepages.move`: ``flags``, ``progress``, ``on_error`` ... With
            ``progress=True``, one progress bar covers all regions.

        Returns
        -------
        list of MoveResult
            One for each row; with ``background=True`` a `BackgroundMove` for each.

        Raises
        ------
        TypeError
            `regions` are no such rows.
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
        chosen = self._as_regions(regions)
        shown = as_progress(how.pop("progress", None), mmap.PAGESIZE)
        parts = parts_of(shown, ([each] for each in chosen))
        with mappings_read_once(), drawing(shown):
            return [
                move(each, target, progress=progress, **how)
                for each, progress in zip(chosen, parts, strict=True)
            ]

    def localize(
        self,
        node: SupportsIndex,
        *,
        cpus: bool = True,
        memory: bool = True,
        children: bool = False,
        whole: bool = False,
        dry_run: bool = False,
        flags: int = MPOL_MF_MOVE,
        progress: ProgressOption = None,
    ) -> Localization:
        """Bring the threads and the memory of the process together on a node.

        Every thread may then run only on CPUs of the node. If some of its present CPUs are on the
        node, the thread keeps these, so that threads pinned within the node stay pinned.

        Parameters
        ----------
        node : int or Near
            The node. If it has no CPUs, such as CXL memory, the threads go to the nearest CPUs. A
            `Near` from `near` also gives the CPUs.
        cpus, memory : bool, default True
            Whether to set the CPUs of the threads, and whether to move the memory.
        children : bool, default False
            Include the children of the process, and theirs.
        whole : bool, default False
            Also move read-only mappings, such as files. By default, only memory that the process
            may write to moves.
        dry_run : bool, default False
            Change nothing, and return what would happen.
        flags, progress
            As for `movepages.move`; pages that other processes map need MPOL_MF_MOVE_ALL.

        Returns
        -------
        Localization
            The locality before and after, each thread, and how many pages moved.

        Raises
        ------
        TypeError, ValueError
            `node` is not the number of a node, or `progress` is not a callable or a bool.
        MovePagesError
            There is no such process (also a ProcessLookupError), or this process may not inspect
            it or set its CPUs (also a PermissionError), or the node does not exist. Nothing has
            changed then. What fails later is in `Localization.problems`.

        Notes
        -----
        The CPUs of the threads are set first. A second pass finds threads that started meanwhile.
        The policy by which the process places new pages stays as it is, because only a process
        itself can change it: see `Localization.policies`.
        Source: sched_setaffinity(2), move_pages(2).

        Examples
        --------
        >>> node = topology().cpu_nodes[0]
        >>> planned = process().localize(node, dry_run=True)
        >>> planned.node == node, planned.moved
        (True, 0)
        """
        how = Localize(
            node=_as_number(node, "node", "the number of a node"),
            near_cpus=node.cpus if isinstance(node, Near) else None, cpus=cpus, memory=memory,
            children=children, whole=whole, dry_run=dry_run, flags=flags,
            progress=as_progress(progress, mmap.PAGESIZE),
        )  # fmt: skip
        done = localize(self.pid or os.getpid(), how)
        info("localize: %r", done)
        return done

    def _as_regions(self, regions: Regions | None) -> list[Region]:
        rows = self._rows(regions, "address", "nbytes")
        return [Region(int(row["address"]), int(row["nbytes"]), self.pid) for row in rows]

    def _rows(self, regions: Regions | None, *fields: str) -> Regions:
        rows = np.atleast_1d(self.regions() if regions is None else regions)
        if not {*fields} <= {*(rows.dtype.names or ())}:
            raise TypeError(
                f"regions: expected rows of what regions() returns, got a {type(regions).__name__}"
            )
        return rows


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
    return Process(_as_number(pid, "pid", "the number of a process"))


def _as_number(given: SupportsIndex, name: str, expected: str) -> int:
    if isinstance(given, (bool, np.bool_)) or not hasattr(given, "__index__"):
        raise TypeError(f"{name}: expected {expected}, got {given!r}")
    number = operator.index(given)
    if number < 0:
        raise ValueError(f"{name}: expected {expected}, got {given}")
    return number
