"""Give huge pages to nodes in turn where single pages would take turns, and check the shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..layouts.balance import Balance
from ..layouts.patterns import NodeArray
from ..layouts.rotation import FIXED, NEARLY, Claims, Mask, Rotation
from ..pages.arguments import Addresses
from .folios import Folios, Indices


class Held(NamedTuple):
    """How many pages of each rotation each folio holds: a row for each pair, in folio order."""

    folio: Indices
    rotation: Indices
    pages: Indices

    @classmethod
    def by(cls, folios: Folios, claims: Claims) -> Held:
        """Count the claims of a slice by folio."""
        of_page = folios.spread(np.arange(folios.number))
        kinds = int(claims.rotation.max(initial=0)) + 1 - FIXED
        pairs = of_page[claims.page] * kinds + claims.rotation - FIXED
        pairs, pages = np.unique(pairs, return_counts=True)
        return cls(pairs // kinds, pairs % kinds + FIXED, pages)

    def where(self, which: Mask) -> Held:
        """Return some of the rows."""
        return Held(self.folio[which], self.rotation[which], self.pages[which])

    def rows_of(self, folio: int) -> list[tuple[int, int]]:
        """Return the rotations of a folio, and how many pages each has there."""
        rows = slice(*np.searchsorted(self.folio, (folio, folio + 1)))
        return list(zip(self.rotation[rows].tolist(), self.pages[rows].tolist(), strict=True))


class _Progress:
    """The part of a rotation that has its targets, and what each node lacks of its share."""

    def __init__(self, rotation: Rotation) -> None:
        self.rotation, self.shares = rotation, rotation.shares
        self.balance, self.pages = Balance(), 0

    def copy(self) -> _Progress:
        other = _Progress(self.rotation)
        other.balance, other.pages = self.balance.copy(), self.pages
        return other

    def take(self, node: int, pages: int) -> None:
        self.balance.take(node, pages, self.shares)
        self.pages += pages

    def fill(self, pages: int) -> NodeArray:
        self.pages += pages
        return self.balance.fill(pages, self.shares)

    def is_even(self, last: int) -> bool:
        """Return whether each node gets its share, or nearly so; pages after `last` can help."""
        # Where such pages turn out to be absent, they fail, and the move is not ok in any case.
        rest = max(self.rotation.pages - self.pages, 0) if last < self.rotation.last else 0
        most = NEARLY * min(self.shares.values()) * (self.pages + rest)
        return self.balance.evens_out(self.shares, most, rest)


class Rotating:
    """The rotations of a move, slice by slice in address order."""

    def __init__(self, rotations: Sequence[Rotation]) -> None:
        self._rotations = rotations
        self._begun: dict[int, _Progress] = {}

    def copy(self) -> Rotating:
        """Return an independent copy."""
        other = Rotating(self._rotations)
        other._begun = {index: each.copy() for index, each in self._begun.items()}
        return other

    def begin_slice(self, addresses: Addresses) -> None:
        """Drop the rotations that end before some pages."""
        first = int(addresses[0]) if len(addresses) else 0
        self._begun = {k: each for k, each in self._begun.items() if each.rotation.last >= first}

    def goes_on(self, claims: Claims) -> bool:
        """Count the pages of a slice, unless some of them have to make up for earlier pages.

        Returns
        -------
        bool
            Whether some have to. Then none are counted.
        """
        pages = np.bincount(claims.rotation[claims.rotation >= 0])
        rotations = np.flatnonzero(pages)
        here = [self._progress(index) for index in rotations.tolist()]
        if not all(each.balance.evens_out(each.shares, 0) for each in here):
            return True
        for each, count in zip(here, pages[rotations].tolist(), strict=True):
            each.pages += count
        return False

    def can_choose(self, held: Held, cut: Indices) -> Mask:
        """Return which huge pages hold pages of rotations only, with a node in common."""
        found = ~np.isin(cut, held.folio[held.rotation < 0])
        found &= np.isin(cut, held.folio)
        for place in np.flatnonzero(found).tolist():
            found[place] = bool(self._common_nodes(held.rows_of(int(cut[place]))))
        return found

    def choose(
        self, folios: Folios, held: Held, huge: Indices, present: NodeArray, target: NodeArray
    ) -> None:
        """Set the targets of some huge pages, and then those of small pages.

        Each huge page goes to the node that lacks most. Small pages go to nodes that still lack
        some. All other folios have their final targets already.
        """
        small = self._small(folios, held, present)
        left = ~np.isin(held.folio, huge) & ~np.isin(held.folio, held.folio[small])
        self._take(held.where(left & (held.rotation >= 0)), target)
        for folio in huge.tolist():
            rows = held.rows_of(folio)
            target[folio] = node = self._most_lacking(rows)
            for index, pages in rows:
                self._progress(index).take(node, pages)
        for index in np.unique(held.rotation[small]).tolist():
            pages = held.folio[small & (held.rotation == index)]
            target[pages] = self._progress(index).fill(len(pages))

    def are_even(self, held: Held, last: int) -> Mask:
        """Return for each rotation whether its nodes get their shares; False for those not held."""
        found = np.zeros(len(self._rotations), bool)
        for index in np.unique(held.rotation[held.rotation >= 0]).tolist():
            found[index] = self._progress(index).is_even(last)
        return found

    def _progress(self, index: int) -> _Progress:
        if index not in self._begun:
            self._begun[index] = _Progress(self._rotations[index])
        return self._begun[index]

    def _small(self, folios: Folios, held: Held, present: NodeArray) -> Mask:
        """Return the rows of present small pages that one rotation has for itself."""
        small = folios.first(present) >= 0
        if folios.counts is not None:
            small &= folios.counts == 1
        alone = np.bincount(held.folio, minlength=len(small)) == 1
        found: Mask = (small & alone)[held.folio] & (held.rotation >= 0)
        return found

    def _take(self, held: Held, target: NodeArray) -> None:
        """Count pages whose targets are final."""
        pairs = held.rotation << 32 | target[held.folio]
        kinds, which = np.unique(pairs, return_inverse=True)
        pages = np.bincount(which, weights=held.pages, minlength=len(kinds)).astype(np.int64)
        for pair, count in zip(kinds.tolist(), pages.tolist(), strict=True):
            self._progress(pair >> 32).take(pair & 0xFFFFFFFF, count)

    def _common_nodes(self, rows: list[tuple[int, int]]) -> list[int]:
        several = [self._rotations[index].shares.keys() for index, _ in rows]
        return sorted(set(several[0]).intersection(*several[1:]))

    def _most_lacking(self, rows: list[tuple[int, int]]) -> int:
        lacks = [
            self._progress(index).balance.claims(pages, self._rotations[index].shares)
            for index, pages in rows
        ]
        # max() returns the first of equal claims, so the lowest node wins ties.
        return max(self._common_nodes(rows), key=lambda node: sum(each[node] for each in lacks))
