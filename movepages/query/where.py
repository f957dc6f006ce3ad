"""where(): the node of every page of an array."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, overload

import numpy as np

from .. import _core
from ..inputs.members import Members
from ..inputs.memory_of import memory_of
from ..pages.blocks import cut_rows
from ..pages.like import Container, MemoryLike, OneMemory
from ..pages.memory import Memory
from ..pages.page_set import PageSet
from ..pages.runs import GrowingRuns, Runs
from ..results.absence import Absences, merge_absences
from ..results.counting import result_of_runs
from ..results.parts import placement_of
from ..results.placement import Placement
from ..results.placements import Placements
from ..system.log import debug
from ..system.threads import as_threads
from .fast_path import placement_on_one_node
from .huge_runs import HugeRuns
from .page_query import PageQuery
from .syscall import MPOL_MF_MOVE, attach, refuse_process

# Pages that a query covers at a time: 4 GiB in 4 KiB pages, besides any number of absent pages. The
# result is kept as runs, so its size does not depend on the number of pages.
SURVEY_PAGES = 1 << 20
_MOST_THREADS = 1024


@overload
def where(  # type: ignore[overload-overlap]
    a: np.ma.MaskedArray[Any, Any], *, threads: int | None = None, shortcuts: bool = True
) -> Placements: ...
@overload
def where(a: OneMemory, *, threads: int | None = None, shortcuts: bool = True) -> Placement: ...
@overload
def where(a: Container, *, threads: int | None = None, shortcuts: bool = True) -> Placements: ...
@overload
def where(a: MemoryLike, *, threads: int | None = None, shortcuts: bool = True) -> Any: ...
def where(a: MemoryLike, *, threads: int | None = None, shortcuts: bool = True) -> Any:
    """Return the NUMA node of every page of `a`, without touching, moving or copying anything.

    Parameters
    ----------
    a : object with memory
        Any numpy array (n-d, strided, read-only, memmap), any object with the buffer protocol,
        ``__array_interface__`` or DLPack, or a `Region` of this or another process. An object with
        several arrays is also accepted: a list, tuple, deque, mapping, the values of a mapping, or
        a dataclass, nested to any depth; or an object whose class has a method
        ``__movepages_buffers__`` or was passed to `register`. An empty container has no bytes.
    threads : int, optional
        Maximum number of threads; by default the number of CPUs that this thread may run on. A
        short query starts no further thread.
    shortcuts : bool, default True
        Find the nodes of many pages without querying each page. From Linux 6.7 on, this concerns
        small pages. With CAP_SYS_ADMIN, page frame numbers give the nodes. Otherwise, if a few
        pages spread over `a` are on one node, /proc/PID/numa_maps gives the node of the whole
        mapping. One page in 512 is queried as a check; if its node differs, all pages are queried.
        Before Linux 6.7, this concerns arrays of 256 MiB or more: each of their huge pages is
        queried once if the counts in /proc/PID/smaps prove which pages are huge. False queries
        every page.

    Returns
    -------
    Placement, or Placements of an object with several arrays
        Bytes on each node, absent bytes (on no node), and the status of each page. `Placements`
        maps the name of each member to its placement; pages that members share count once in the
        total.

    Raises
    ------
    TypeError, ValueError
        `a` exposes no memory, contains only values such as strings, or has interleaving strides,
        which only ``as_strided`` makes; `threads` is not a whole number from 1.
    MovePagesError
        The kernel refused the query: the process does not exist, or permission is missing, or a
        sandbox forbids it.

    Notes
    -----
    A page counts as part of `a` if at least one byte of `a` is in it. Source: move_pages(2),
    ``do_pages_stat`` in the kernel's mm/migrate.c.

    Examples
    --------
    >>> p = where(np.ones((1000, 1000)))
    >>> sum(p.bytes_per_node.values()) + p.absent_bytes
    8000000
    """
    if threads is None and shortcuts is True:
        small = placement_on_one_node(a)
        if small is not None:
            return small
    array, pages = memory_of(a)
    workers = None if threads is None else min(as_threads(threads), _MOST_THREADS)
    found, huge = survey(pages, workers, shortcuts=bool(shortcuts))
    debug("where: %s, by %s", found, found.source)
    if isinstance(array, Members):
        return Placements(found, array.footprints, huge)
    if isinstance(array, (np.ndarray, Memory)) and array.ndim > 1:
        return replace(found, shape=array.shape, strides=array.strides)
    return found


def survey(
    footprint: PageSet, threads: int | None, *, shortcuts: bool
) -> tuple[Placement, Runs | None]:
    """Return the node of every page of `footprint`, and its runs in huge pages if known."""
    query = PageQuery(footprint, MPOL_MF_MOVE, threads, shortcuts=shortcuts)
    found = GrowingRuns(footprint.page_size)
    absent: list[Absences] = []
    huge = HugeRuns(footprint, kinds_tell=query.shows_huge_pages)
    try:
        refuse_process(footprint, MPOL_MF_MOVE)
        for addresses, pages in cut_rows(footprint, SURVEY_PAGES, query.reach):
            answer = query.at(addresses, pages)
            huge.add(answer.found)
            found.add(query.runs(answer.found))
            if len(answer.absences):
                absent.append(answer.absences)
    except BaseException as error:
        if query.partial is not None:
            found.add(query.runs(query.partial))
        attach(error, result_of_runs(found.joined(), footprint.pages))
        raise
    size, in_huge = footprint.page_size, huge.found
    return placement_of(
        footprint,
        found.joined(),
        merge_absences(absent, size),
        None if in_huge is None else int(in_huge["nbytes"].sum()),
        source=_core.engine(),
    ), in_huge
