"""Shifted: a pattern over several members in sequence, seen from one of them."""

from __future__ import annotations

import numpy as np

from ..pages.arguments import Addresses
from .patterns import Ints, NodeArray, Pattern
from .rotation import Rotation


def may_shift(pattern: Pattern) -> bool:
    """Return whether the borders of one of several members may move to huge page borders.

    Turns of single pages have no borders; they are a rotation.
    """
    return getattr(pattern, "adapts", False) and getattr(pattern, "shares", None) is None


class Shifted:
    """A pattern over part of the array that it was made for.

    Parameters
    ----------
    pattern : Pattern
        A pattern over an array that begins at address 0.
    start : int
        Index of the first page of the part.
    page_size : int
    rotation : Rotation, optional
        What the pattern makes of the pages of all parts.
    """

    shares = None

    def __init__(
        self, pattern: Pattern, start: int, page_size: int, rotation: Rotation | None = None
    ) -> None:
        self._pattern, self._start, self._size = pattern, start, np.uintp(page_size)
        self.distinct, self.only = pattern.distinct, pattern.only
        self.rotation = rotation
        self.adapts, self.torn = may_shift(pattern), getattr(pattern, "torn", False)

    def nodes_for(self, index: Ints, addresses: Addresses) -> NodeArray:
        """Return the wanted node of each page."""
        return self._pattern.nodes_for(*self._there(index))

    def count_nowhere(self, index: Ints, addresses: Addresses, pages: Ints) -> Ints:
        """Count the pages without a target in each run of neighbouring pages."""
        return self._pattern.count_nowhere(*self._there(index), pages)

    def _there(self, index: Ints) -> tuple[Ints, Addresses]:
        index = index + self._start
        return index, index.astype(np.uintp) * self._size
