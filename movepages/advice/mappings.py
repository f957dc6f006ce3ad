"""What the mappings of a process tell of its memories: who moves them, and who maps them."""

from __future__ import annotations

import mmap
from functools import cached_property

import numpy as np

from ..processes.regions import Regions, regions_of
from .subjects import Subject


class Mappings:
    """The mappings of a process, read when they are first asked for.

    To read them takes the kernel about 46 ns for each page in memory.
    """

    def __init__(self, pid: int, nodes: tuple[int, ...]) -> None:
        self._pid, self._nodes = pid, nodes

    @cached_property
    def regions(self) -> Regions:
        """The regions of the process, as `Process.regions` returns them."""
        return regions_of(self._pid, self._nodes)

    def told_of(self, subject: Subject) -> Subject:
        """Return a subject with what its mappings tell."""
        starts = subject.placement.runs["address"]
        found = np.searchsorted(self.regions["address"], starts, "right") - 1
        rows = self.regions[np.unique(found[found >= 0])]
        return subject._replace(
            balanced=len(rows) > 0 and all(map(_is_balanced, rows)),
            mapmax=int(rows["mapmax"].max(initial=1)),
        )


def _is_balanced(row: np.void) -> bool:
    """Tell whether a mapping is private anonymous memory without a policy of its own."""
    anonymous = row["name"] in ("", "[heap]") or str(row["name"]).startswith("[anon")
    private = str(row["permissions"]).endswith("p")
    # Pages of hugetlbfs stay where they are.
    normal = row["page_size"] == mmap.PAGESIZE
    return bool(anonymous and private and normal and row["policy"] == "default")
