"""Rotations: pages that go to nodes in turn in any order, so that only the shares count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .._core import HUGE_PAGE_BYTES
from ..pages.page_set import PageSet
from .patterns import Ints, Pattern

Mask: TypeAlias = "npt.NDArray[np.bool_]"

# A node in an interleaved layout may miss this fraction of its share.
NEARLY = 1 / 8

# In place of the index of a rotation: the page has a place of its own, or lies between borders
# that may move to huge page borders. Both are negative.
FIXED, SHIFTS = -2, -1


class Rotation(NamedTuple):
    """Pages of one array, or of members in sequence, that go to nodes in turn.

    Attributes
    ----------
    shares : mapping of int to float
        The fraction of the pages for each node.
    pages : int
        Number of pages; 0 if the pages in one slice have to be even by themselves.
    last : int
        Address of the last page.
    """

    shares: Mapping[int, float]
    pages: int = 0
    last: int = (1 << 64) - 1


class Claims(NamedTuple):
    """The rotations that some pages belong to: one row for each member that holds a page.

    Attributes
    ----------
    page : ndarray of int64
        Index of the page.
    rotation : ndarray of int64
        Index of its rotation, or `FIXED` or `SHIFTS`.
    """

    page: Ints
    rotation: Ints

    def movable(self, even: Mask, pages: int) -> Mask:
        """Return which of the pages may be on any node, given which rotations are even.

        A page that several members hold may be there only if each of them allows it.
        """
        # The last two elements are those that FIXED and SHIFTS refer to.
        may = np.append(even, (False, True))[self.rotation]
        found = np.zeros(pages, bool)
        found[self.page] = True
        found[self.page[~may]] = False
        return found


def rotation_over(pattern: Pattern, members: Sequence[PageSet]) -> Rotation | None:
    """Return the rotation that a pattern makes of all pages of some members.

    It is None if the pattern makes none, or if a huge page is too large for the largest share.
    """
    shares = getattr(pattern, "shares", None)
    if not shares or not getattr(pattern, "adapts", False):
        return None
    pages = sum(member.pages for member in members)
    nbytes = sum(member.pages * member.page_size for member in members)
    if nbytes < HUGE_PAGE_BYTES:
        return None
    largest = max(shares.values())
    # What the other nodes may miss is room for a huge page, too.
    if nbytes * (largest + NEARLY * (1 - largest)) < HUGE_PAGE_BYTES:
        return None
    last = max(last_page(member) for member in members)
    return Rotation(shares, pages, last)


def last_page(member: PageSet) -> int:
    """Return the address of the last page of a member that is not empty."""
    size = member.page_size
    return (member.address + member.span - 1) // size * size
