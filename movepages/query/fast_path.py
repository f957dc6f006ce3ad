"""Fast path of where() for a small array on one node: one query."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

from .. import _core
from ..pages.runs import RUN_DTYPE
from ..results.absence import nothing_absent
from ..results.placement import Placement


def placement_on_one_node(a: Any) -> Placement | None:
    """Return the placement of a contiguous numpy array of a few pages.

    Return None if not all of its pages are on one node. The fast path leaves everything else,
    errors included, to the full query.
    """
    found = _core.small_on_one_node(a)
    if found is None:
        return None
    address, pages, run, huge_bytes = found
    nbytes, lead = a.nbytes, address % mmap.PAGESIZE
    edges = (lead > 0) + ((lead + nbytes) % mmap.PAGESIZE > 0)
    many_axes = a.ndim > 1
    # The constructor of a frozen dataclass takes longer than the query of the kernel.
    placement = object.__new__(Placement)
    placement.__dict__.update(
        address=address,
        nbytes=nbytes,
        pages=pages,
        page_size=mmap.PAGESIZE,
        shared_edges=min(edges, pages),
        pid=0,
        runs=np.frombuffer(run, RUN_DTYPE),
        absences=nothing_absent(),
        huge_bytes=huge_bytes,
        source=_core.engine(),
        shape=a.shape if many_axes else (),
        strides=a.strides if many_axes else (),
    )
    return placement
