"""Turn the node wanted for each page into a target that huge pages can follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ..layouts.balance import Balance
from ..layouts.patterns import NOWHERE, NodeArray, Pattern
from ..pages.arguments import Addresses
from ..query.syscall import move_pages
from .folios import Folios, HugePages, Indices
from .splitting import fill_holes, split_at

# A node in an interleaved layout may miss this fraction of its share.
_NEARLY = 1 / 8

OnConflict: TypeAlias = Literal["majority", "split", "raise"]


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


class TargetChooser:
    """Decides the target of each huge page of one move, block by block in address order.

    Parameters
    ----------
    pattern : Pattern
        The nodes wanted.
    huge : HugePages
        Where huge pages are.
    on_conflict : {"majority", "split", "raise"}
        What to do with a huge page that is wanted on several nodes.
    """

    def __init__(self, pattern: Pattern, huge: HugePages, on_conflict: OnConflict) -> None:
        self.balance = Balance()
        # A user's layout may lack these attributes.
        self.adapts = getattr(pattern, "adapts", False)
        self._torn = getattr(pattern, "torn", False)
        # Only patterns of several members differ in these from page to page.
        self._torn_at = getattr(pattern, "torn_at", None)
        self._adapting = getattr(pattern, "adapting", None)
        self.on_conflict = on_conflict
        self.shares = getattr(pattern, "shares", None)
        self._huge = huge

    @property
    def shifts_borders(self) -> bool:
        """Whether the layout shifts its borders to lie between huge pages."""
        return self.adapts and self.shares is None and self._adapting is None

    def choose(self, addresses: Addresses, present: NodeArray, wanted: NodeArray) -> ChosenTargets:
        """Return the target of some pages; with "split", split huge pages that it cuts first.

        Parameters
        ----------
        addresses : ndarray of uintp
            Pages in address order.
        present : ndarray of int32
            Node of each page; negative if absent. Updated for pages of split huge pages.
        wanted : ndarray of int32
            Node wanted for each page; negative for none.
        """
        folios = Folios.find(addresses, wanted, self._huge)
        chosen = self._without_splitting(folios, addresses, present, wanted)
        if chosen is not None:
            return chosen
        cut = _on_several(folios, wanted)
        done = self._split(folios, cut, addresses, present)
        folios = Folios.find(addresses, wanted, self._huge)
        # Before Linux 6.7 a huge page that is still whole shows only when it moves.
        split = min(len(cut) - len(_on_several(folios, wanted)), len(done))
        return self._choose(folios, addresses, present, wanted, split)._replace(split_at=done)

    def _split(
        self, folios: Folios, cut: Indices, addresses: Addresses, present: NodeArray
    ) -> Addresses:
        """Split some huge pages, and query where their pages are afterwards."""
        done = split_at(folios.first(addresses)[cut], self._huge.pid)
        self._huge.forget()
        one_each = np.zeros(len(folios.first(addresses)), bool)
        one_each[cut] = True
        pages = np.flatnonzero(folios.spread(one_each))
        fill_holes(addresses[pages], self._huge.pid)
        present[pages] = move_pages(addresses[pages], pid=self._huge.pid)
        return done

    def forecast(
        self, addresses: Addresses, present: NodeArray, wanted: NodeArray
    ) -> ChosenTargets:
        """Return what `choose` would return, as far as that is known; split nothing."""
        folios = Folios.find(addresses, wanted, self._huge)
        chosen = self._without_splitting(folios, addresses, present, wanted)
        if chosen is not None:
            return chosen
        cut = _on_several(folios, wanted)
        return self._choose(folios.without(cut), addresses, present, wanted, len(cut))

    def _without_splitting(
        self, folios: Folios, addresses: Addresses, present: NodeArray, wanted: NodeArray
    ) -> ChosenTargets | None:
        """Return a target that leaves huge pages whole, or None if "split" has to split some."""
        balance = self.balance.copy()
        chosen = self._choose(folios, addresses, present, wanted, 0)
        if self.on_conflict != "split" or (chosen.wanted is not wanted and not _overruled(chosen)):
            return chosen
        if not len(_on_several(folios, wanted)):
            return chosen
        self.balance = balance
        return None

    def _choose(
        self,
        folios: Folios,
        addresses: Addresses,
        present: NodeArray,
        wanted: NodeArray,
        split: int,
    ) -> ChosenTargets:
        torn = self._torn if self._torn_at is None else self._torn_at(addresses)
        target, cut = folios.first(wanted), folios.differ(wanted)
        if not len(cut):
            return ChosenTargets(folios, target, wanted, split, torn=torn)
        target = target.copy()
        if self.shares is None:
            target[cut] = self.balance.choose(*folios.votes(wanted, cut))
            adapted = self.adapts
        else:
            adapted = self._in_turns(folios, cut, present, target, self.shares)
        if adapted:
            each = folios.spread(target)
            shifts = self._adapting
            wanted = each if shifts is None else np.where(shifts(addresses), each, wanted)
        return ChosenTargets(folios, target, wanted, split, torn=torn)

    def _in_turns(
        self,
        folios: Folios,
        cut: Indices,
        present: NodeArray,
        target: NodeArray,
        shares: Mapping[int, float],
    ) -> bool:
        """Give huge pages to nodes in turn, and small pages to nodes that got less.

        Returns
        -------
        bool
            Whether each node got its share, or nearly so.
        """
        assert folios.counts is not None
        nodes = sorted(shares)
        exact = np.array([shares[node] for node in nodes])
        target[cut] = self.balance.choose(nodes, folios.counts[cut][:, np.newaxis] * exact)
        small = np.flatnonzero((folios.counts == 1) & (folios.first(present) >= 0))
        target[small] = self.balance.fill(len(small), shares)
        return self.balance.farthest <= _NEARLY * min(shares.values()) * len(present)


def _on_several(folios: Folios, wanted: NodeArray) -> Indices:
    """Return the folios whose pages are wanted on several nodes."""
    cut = folios.differ(wanted)
    if not len(cut):
        return cut
    _, votes = folios.votes(wanted, cut)
    several: Indices = cut[np.count_nonzero(votes, axis=1) > 1]
    return several


def _overruled(chosen: ChosenTargets) -> bool:
    """Return whether a page would end up elsewhere than wanted."""
    return bool(((chosen.each != chosen.wanted) & (chosen.wanted != NOWHERE)).any())
