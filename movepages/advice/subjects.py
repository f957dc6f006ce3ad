"""Subjects: the memories that are looked at one by one, largest first."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..inputs.members import Members
from ..inputs.memory_of import memory_of
from ..pages.buffers import Region
from ..pages.memory import Memory
from ..pages.page_set import PageSet
from ..processes.regions import Regions, regions_of
from ..query.readings import mappings_read_once
from ..query.where import where
from ..results.placement import Placement
from ..system.topology import Topology
from .spans import Spans

# Smaller memories are looked at together, and so are all beyond the largest few.
LEAST_BYTES = 1 << 20
_MOST = 100


class Subject(NamedTuple):
    """One memory, or several that are looked at together.

    Attributes
    ----------
    name : str
        Of a member, or of a region of another process; empty for one array.
    array : object
        What `plan` and `move` take.
    placement : Placement
    read_only : bool
        Whether this array, or the process by this region, cannot write to it.
    divides_by_rows : bool
        Whether blocks of it along the first axis are contiguous.
    rows : int
        Length of the first axis; 0 for memory without axes.
    balanced : bool
        Whether automatic balancing moves its pages, where that is on.
    mapmax : int
        The most times that one of its pages is mapped, by this process and others.
    """

    name: str
    array: Any
    placement: Placement
    read_only: bool = False
    divides_by_rows: bool = False
    rows: int = 0
    balanced: bool = False
    mapmax: int = 1

    @property
    def is_several(self) -> bool:
        """Whether it is a list of small memories."""
        return isinstance(self.array, list)


def of_object(obj: object, machine: Topology) -> list[Subject]:
    """Return the memory of an object, or its members.

    Raises
    ------
    TypeError, ValueError, MovePagesError
        As for `where`; also for memory of another process.
    """
    array, pages = memory_of(obj)
    refuse_others(pages)
    regions = regions_of(0, machine.memory_nodes)
    if not isinstance(array, Members):
        return [_subject("", array, regions)]
    sizes, names = array.footprints.sizes, array.footprints.names
    order = sorted(range(len(sizes)), key=lambda index: -sizes[index])
    large = [index for index in order if sizes[index] >= LEAST_BYTES][:_MOST]
    found, spans = [], Spans()
    for index in large:
        each = _subject(names[index], array.arrays[index], regions)
        if spans.add(each.placement):
            found.append(each)
    rest = spans.outside(array.footprints, sorted({*order} - {*large}))
    if len(rest) == 1:
        return [*found, _subject(names[rest[0]], array.arrays[rest[0]], regions)]
    others = [array.arrays[index] for index in rest]
    return [*found, *_together(others, "members", regions)]


def refuse_others(pages: PageSet) -> None:
    """Raise a ValueError for memory of another process, whose threads are not looked at."""
    if pages.pid:
        raise ValueError(
            f"got memory of process {pages.pid}; advise(pid={pages.pid}) looks at its memory and "
            "its threads"
        )


def of_process(pid: int, machine: Topology) -> list[Subject]:
    """Return the regions of a process that have memory, but for programs and libraries.

    Raises
    ------
    MovePagesError
        There is no such process, or this process may not look at it.
    """
    regions = regions_of(pid, machine.memory_nodes)
    held = regions["bytes"].sum(axis=1)
    executable, writable = _may(regions, "x"), _may(regions, "w")
    programs = {*regions["name"][executable]} - {""}
    constants = [name in programs for name in regions["name"]] & ~writable
    order = np.argsort(-held, kind="stable")
    mine = order[((held > 0) & ~executable & ~constants)[order]].tolist()
    large = [index for index in mine if held[index] >= LEAST_BYTES][:_MOST]
    # Small read-only regions are parts of libraries, which other processes use, too.
    rest = [index for index in sorted({*mine} - {*large}) if writable[index]]
    with mappings_read_once():
        found = [
            _subject(_name(regions[i]), _region(regions[i], pid), regions)._replace(
                read_only=not writable[i]
            )
            for i in large
        ]
        others = [_region(regions[index], pid) for index in rest]
        return [*found, *_together(others, "regions", regions)]


def _may(regions: Regions, what: str) -> npt.NDArray[np.bool_]:
    return np.char.find(regions["permissions"], what) >= 0


def _subject(name: str, array: Any, regions: Regions) -> Subject:
    placement = where(array)
    rows = array.shape[0] if isinstance(array, (np.ndarray, Memory)) and array.ndim > 1 else 0
    return Subject(
        name, array, placement, _is_read_only(array),
        bool(rows) and isinstance(array, np.ndarray) and array.flags.c_contiguous, rows,
        _is_balanced(placement.address, regions), _mapmax([placement.address], regions),
    )  # fmt: skip


def _together(arrays: list[Any], what: str, regions: Regions) -> Iterator[Subject]:
    if arrays:
        placement = where(arrays).total
        balanced = _is_balanced(placement.address, regions)
        most = _mapmax(placement.runs["address"], regions)
        name = f"{len(arrays):,} smaller {what}"
        yield Subject(name, arrays, placement, balanced=balanced, mapmax=most)


def _mapmax(addresses: Any, regions: Regions) -> int:
    """Return the most times that a page is mapped of the mappings at some addresses."""
    found = np.searchsorted(regions["address"], np.asarray(addresses, np.uintp), "right") - 1
    return int(regions["mapmax"][found[found >= 0]].max(initial=1))


def _is_read_only(array: object) -> bool:
    if isinstance(array, np.ndarray):
        return not array.flags.writeable
    return isinstance(array, bytes) or (isinstance(array, memoryview) and array.readonly)


def _is_balanced(address: int, regions: Regions) -> bool:
    """Tell whether a mapping is private anonymous memory without a policy of its own."""
    index = int(np.searchsorted(regions["address"], np.uintp(address), "right")) - 1
    if index < 0:
        return False
    row = regions[index]
    anonymous = row["name"] in ("", "[heap]") or str(row["name"]).startswith("[anon")
    private = str(row["permissions"]).endswith("p")
    # Pages of hugetlbfs stay where they are.
    normal = row["page_size"] == mmap.PAGESIZE
    return bool(anonymous and private and normal and row["policy"] == "default")


def _region(row: np.void, pid: int) -> Region:
    return Region(int(row["address"]), int(row["nbytes"]), pid)


def _name(row: np.void) -> str:
    name = os.path.basename(row["name"]) or "anonymous"
    return f"{name} {row['address']:#x}"
