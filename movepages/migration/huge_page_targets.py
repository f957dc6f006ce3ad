"""Turn the node wanted for each page into a target that huge pages can follow."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ..layouts.balance import Balance
from ..layouts.patterns import NodeArray, Pattern
from ..layouts.rotation import FIXED, SHIFTS, Claims, Rotation
from ..pages.arguments import Addresses
from ..query.syscall import move_pages
from .chosen_targets import ChosenTargets
from .folios import Folios, HugePages, Indices
from .rotating import Held, Rotating
from .splitting import fill_holes, split_at

OnConflict: TypeAlias = Literal["majority", "split", "raise"]


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
        shares = getattr(pattern, "shares", None)
        alone = [] if shares is None else [Rotation(shares)]
        # Only patterns of several members differ in these from page to page.
        self._torn_at = getattr(pattern, "torn_at", None)
        self._claims_at = getattr(pattern, "claims", None)
        self._foreign = getattr(pattern, "foreign", None)
        self._rotations = getattr(pattern, "rotations", alone)
        self._rotating = Rotating(self._rotations)
        self.on_conflict = on_conflict
        self._huge = huge

    @property
    def rotates(self) -> bool:
        """Whether pages may take turns, so that the targets depend on which are present."""
        return bool(self._rotations)

    @property
    def shifts_borders(self) -> bool:
        """Whether the layout shifts its borders to lie between huge pages."""
        return self.adapts and not self._rotations and self._claims_at is None

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
        self._rotating.begin_slice(addresses)
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
        self._rotating.begin_slice(addresses)
        chosen = self._without_splitting(folios, addresses, present, wanted)
        if chosen is not None:
            return chosen
        cut = _on_several(folios, wanted)
        return self._choose(folios.without(cut), addresses, present, wanted, len(cut))

    def _without_splitting(
        self, folios: Folios, addresses: Addresses, present: NodeArray, wanted: NodeArray
    ) -> ChosenTargets | None:
        """Return a target that leaves huge pages whole, or None if "split" has to split some."""
        before = self.balance.copy(), self._rotating.copy()
        chosen = self._choose(folios, addresses, present, wanted, 0)
        if self.on_conflict != "split" or not chosen.overruled.any():
            return chosen
        if not len(_on_several(folios, wanted)):
            return chosen
        self.balance, self._rotating = before
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
        if not len(cut) and not self._evens_out(addresses):
            return ChosenTargets(folios, target, wanted, split, torn=torn)
        target = target.copy()
        if self.rotates:
            even = self._even_out(folios, cut, addresses, present, wanted, target)
        else:
            target[cut] = self.balance.choose(*folios.votes(wanted, cut))
            even = np.empty(0, bool)
        if self.adapts or self.rotates:
            wanted = self._accepted(addresses, folios.spread(target), wanted, even)
        return ChosenTargets(folios, target, wanted, split, torn=torn)

    def _even_out(
        self,
        folios: Folios,
        cut: Indices,
        addresses: Addresses,
        present: NodeArray,
        wanted: NodeArray,
        target: NodeArray,
    ) -> npt.NDArray[np.bool_]:
        """Set the targets of cut huge pages, and of small pages that even these out.

        Returns
        -------
        ndarray of bool
            Whether each rotation gives each node its share, or nearly so.
        """
        held = Held.by(folios, self._claims(addresses))
        turns = self._rotating.can_choose(held, cut)
        if not turns.all():
            target[cut[~turns]] = self.balance.choose(*folios.votes(wanted, cut[~turns]))
        self._rotating.choose(folios, held, cut[turns], present, target)
        return self._rotating.are_even(held, int(addresses[-1]))

    def shifted(self, addresses: Addresses, target: NodeArray, wanted: NodeArray) -> NodeArray:
        """Return the nodes wanted if borders shift to where the targets of huge pages change."""
        none = np.zeros(len(self._rotations), bool)
        return self._accepted(addresses, target, wanted, none)

    def _accepted(
        self,
        addresses: Addresses,
        target: NodeArray,
        wanted: NodeArray,
        even: npt.NDArray[np.bool_],
    ) -> NodeArray:
        """Return the target of pages that may be anywhere, and the node wanted of the others."""
        free = self._claims(addresses).movable(even, len(wanted))
        if self._foreign is not None:
            free &= ~self._foreign(addresses, target)
        found: NodeArray = np.where(free, target, wanted)
        return found

    def _evens_out(self, addresses: Addresses) -> bool:
        """Return whether pages have to even out those of the slices before."""
        return self.rotates and self._rotating.goes_on(self._claims(addresses))

    def _claims(self, addresses: Addresses) -> Claims:
        if self._claims_at is not None:
            claims: Claims = self._claims_at(addresses)
            return claims
        alone = 0 if self._rotations else SHIFTS if self.adapts else FIXED
        return Claims(np.arange(len(addresses)), np.full(len(addresses), alone))


def _on_several(folios: Folios, wanted: NodeArray) -> Indices:
    """Return the folios whose pages are wanted on several nodes."""
    cut = folios.differ(wanted)
    if not len(cut):
        return cut
    _, votes = folios.votes(wanted, cut)
    several: Indices = cut[np.count_nonzero(votes, axis=1) > 1]
    return several
