"""Subjects: the memories that are looked at one by one, largest first."""

from __future__ import annotations

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
from ..processes.regions import Regions
from ..query.readings import mappings_read_once
from ..query.where import where
from ..results.placement import Placement
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


def of_object(obj: object) -> list[Subject]:
    """Return the memory of an object, or its members.

    Raises
    ------
    TypeError, ValueError, MovePagesError
        As for `where`; also for memory of another process.
    """
    array, pages = memory_of(obj)
    refuse_others(pages)
    if not isinstance(array, Members):
        return [_subject("", array)]
    sizes, names = array.footprints.sizes, array.footprints.names
    order = sorted(range(len(sizes)), key=lambda index: -sizes[index])
    large = [index for index in order if sizes[index] >= LEAST_BYTES][:_MOST]
    found, spans = [], Spans()
    for index in large:
        each = _subject(names[index], array.arrays[index])
        if spans.add(each.placement):
            found.append(each)
    rest = spans.outside(array.footprints, sorted({*order} - {*large}))
    if len(rest) == 1:
        return [*found, _subject(names[rest[0]], array.arrays[rest[0]])]
    others = [array.arrays[index] for index in rest]
    return [*found, *_together(others, "members")]


def refuse_others(pages: PageSet) -> None:
    """Raise a ValueError for memory of another process, whose threads are not looked at."""
    if pages.pid:
        raise ValueError(
            f"got memory of process {pages.pid}; advise(pid={pages.pid}) looks at its memory and "
            "its threads"
        )


def of_process(pid: int, regions: Regions) -> list[Subject]:
    """Return the regions of a process that have memory, but for programs and libraries.

    Raises
    ------
    MovePagesError
        There is no such process, or this process may not look at it.
    """
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
            _subject(_name(regions[i]), _region(regions[i], pid))._replace(
                read_only=not writable[i]
            )
            for i in large
        ]
        others = [_region(regions[index], pid) for index in rest]
        return [*found, *_together(others, "regions")]


def _may(regions: Regions, what: str) -> npt.NDArray[np.bool_]:
    return np.char.find(regions["permissions"], what) >= 0


def _subject(name: str, array: Any) -> Subject:
    placement = where(array)
    rows = array.shape[0] if isinstance(array, (np.ndarray, Memory)) and array.ndim > 1 else 0
    return Subject(
        name, array, placement, _is_read_only(array),
        bool(rows) and isinstance(array, np.ndarray) and array.flags.c_contiguous, rows,
    )  # fmt: skip


def _together(arrays: list[Any], what: str) -> Iterator[Subject]:
    if arrays:
        yield Subject(f"{len(arrays):,} smaller {what}", arrays, where(arrays).total)


def _is_read_only(array: object) -> bool:
    if isinstance(array, np.ndarray):
        return not array.flags.writeable
    return isinstance(array, bytes) or (isinstance(array, memoryview) and array.readonly)


def _region(row: np.void, pid: int) -> Region:
    return Region(int(row["address"]), int(row["nbytes"]), pid)


def _name(row: np.void) -> str:
    name = os.path.basename(row["name"]) or "anonymous"
    return f"{name} {row['address']:#x}"
