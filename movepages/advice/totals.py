"""What all memories of one call have together on each node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .subjects import Subject
from .wish import NEAR

# Buffers that threads make for the same work are of the same size, give or take a page.
_ALIKE = 1.02


class Totals(NamedTuple):
    """Bytes of all memories together.

    Attributes
    ----------
    held : mapping of int to int
        Bytes on each node.
    whole : list of mapping of int to int
        Bytes on each node of every memory that lies on one node, as good as wholly.
    """

    held: Mapping[int, int]
    whole: list[Mapping[int, int]]

    def like(self, mine: Mapping[int, int]) -> Mapping[int, int]:
        """Return what memories of about this size that lie on one node have together."""
        size, found = sum(mine.values()), Counter[int]()
        for each in self.whole:
            if size <= _ALIKE * sum(each.values()) and sum(each.values()) <= _ALIKE * size:
                found.update(each)
        return found


def totals_of(subjects: Iterable[Subject]) -> Totals:
    """Return what some memories have together."""
    held, whole = Counter[int](), list[Mapping[int, int]]()
    for each in subjects:
        mine = each.placement.bytes_per_node
        held.update(mine)
        if mine and max(mine.values()) >= NEAR * sum(mine.values()):
            whole.append(mine)
    return Totals(held, whole)
