"""ChosenTargets: where some pages go, and where they were wanted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..layouts.patterns import NOWHERE, NodeArray
from ..pages.arguments import Addresses
from .folios import Folios


class ChosenTargets(NamedTuple):
    """A target for some pages in address order.

    Attributes
    ----------
    folios : Folios
        The pages, grouped by huge page.
    target : ndarray of int32
        Node of each folio; negative if none of its pages has a target.
    wanted : ndarray of int32
        Node wanted for each page. If the layout shifts its borders, these are the shifted ones.
    split : int
        Number of huge pages that were split, or would be.
    split_at : ndarray of uintp
        One page of each huge page that the kernel did not refuse to split.
    torn : bool or ndarray of bool
        Which pages hold parts that are wanted on several nodes.
    """

    folios: Folios
    target: NodeArray
    wanted: NodeArray
    split: int = 0
    split_at: Addresses = np.empty(0, np.uintp)
    torn: bool | npt.NDArray[np.bool_] = False

    @property
    def each(self) -> NodeArray:
        """Target of each page."""
        return self.folios.spread(self.target)

    @property
    def overruled(self) -> npt.NDArray[np.bool_]:
        """Which pages would end up elsewhere than wanted."""
        found: npt.NDArray[np.bool_] = (self.each != self.wanted) & (self.wanted != NOWHERE)
        return found
