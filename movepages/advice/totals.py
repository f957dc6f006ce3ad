"""What all memories of one call have together on each node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .subjects import Subject
from .wish import NEAR


class Totals(NamedTuple):
    """Bytes of all memories together.

    Attributes
    ----------
    held : mapping of int to int
        Bytes on each node.
    whole : mapping of int to int
        Those of memories that each lie on one node, as good as wholly.
    """

    held: Mapping[int, int]
    whole: Mapping[int, int]


def totals_of(subjects: Iterable[Subject]) -> Totals:
    """Return what some memories have together."""
    held, whole = Counter[int](), Counter[int]()
    for each in subjects:
        mine = each.placement.bytes_per_node
        held.update(mine)
        if mine and max(mine.values()) >= NEAR * sum(mine.values()):
            whole.update(mine)
    return Totals(held, whole)
