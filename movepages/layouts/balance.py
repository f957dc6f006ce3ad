"""Assign huge pages that several nodes want, so that each node still gets its share of bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Counts: TypeAlias = "npt.NDArray[np.int64]"
NodeArray: TypeAlias = "npt.NDArray[np.int32]"

# Equal to `NOWHERE` in `patterns`, a module above this one: a page without a target.
_NOWHERE = -1


class Balance:
    """The deficit of each node in pages, carried from one choice to the next.

    A huge page goes to one node as a whole. The other nodes that wanted part of it fall behind and
    have a better claim to the next one. This is error diffusion: whatever the target, no node stays
    more than about one huge page behind.
    """

    def __init__(self) -> None:
        self._behind: dict[int, float] = {}

    def copy(self) -> Balance:
        """Return an independent copy with the same deficits."""
        other = Balance()
        other._behind = dict(self._behind)
        return other

    def claims(self, pages: int, shares: Mapping[int, float]) -> dict[int, float]:
        """Return what each node lacks if `pages` more pages come, to be divided by `shares`."""
        return {node: self._behind.get(node, 0) + pages * share for node, share in shares.items()}

    def take(self, node: int, pages: int, shares: Mapping[int, float]) -> None:
        """Count pages that had to be divided by `shares` and are all on one node."""
        self._behind.update(self.claims(pages, shares))
        self._behind[node] = self._behind.get(node, 0) - pages

    def evens_out(self, shares: Mapping[int, float], most: float, rest: int = 0) -> bool:
        """Return whether no node has to lack more than `most` pages once `rest` more have come.

        Pages on a node without a share never even out.
        """
        lacks = self.claims(rest, shares)
        needed = sum(max(pages - most, 0) for pages in lacks.values())
        return self._behind.keys() <= shares.keys() and needed <= rest

    def choose(self, nodes: Sequence[int], votes: Counts) -> NodeArray:
        """Return a node for each huge page, chosen from the nodes that want part of it.

        Parameters
        ----------
        nodes : sequence of int
            Nodes in ascending order.
        votes : ndarray of int64, shape (huge pages, nodes)
            How many pages of each huge page are wanted on each node. A huge page without votes has
            no target.
        """
        behind = [self._behind.get(node, 0) for node in nodes]
        chosen = np.full(len(votes), _NOWHERE, np.int32)
        for row, wanted in enumerate(votes.tolist()):
            voters = [i for i, count in enumerate(wanted) if count]
            if not voters:
                continue
            # max() returns the first of equal claims, so the lowest node wins ties.
            best = max(voters, key=lambda i: behind[i] + wanted[i])
            for i in voters:
                behind[i] += wanted[i]
            behind[best] -= sum(wanted)
            chosen[row] = nodes[best]
        self._behind.update(zip(nodes, behind, strict=True))
        return chosen

    def fill(self, pages: int, shares: Mapping[int, float]) -> NodeArray:
        """Return a node for each of `pages` small pages, by shares that add up to 1.

        Nodes below their share are filled first, while pages last. Each node's pages
        are spread evenly among those of the other nodes.
        """
        if not pages:
            return np.empty(0, np.int32)
        nodes = sorted(shares)
        due = np.array([self._behind.get(node, 0) + pages * shares[node] for node in nodes])
        counts = _whole_shares(due, pages)
        for node, still in zip(nodes, (due - counts).tolist(), strict=True):
            self._behind[node] = still
        turns = np.concatenate([(np.arange(count) + 0.5) / max(count, 1) for count in counts])
        order = np.argsort(turns, kind="stable")
        found: NodeArray = np.repeat(np.array(nodes, np.int32), counts)[order]
        return found


def _whole_shares(due: npt.NDArray[np.float64], total: int) -> Counts:
    """Round `due`, whose sum is `total`, to whole numbers of 0 or more with the same sum."""
    # A node that is far ahead gets nothing. The others must therefore get less than their due, all
    # by the same amount, `level`.
    falling = -np.sort(-due)
    excess = (np.cumsum(falling) - total) / np.arange(1, len(due) + 1)
    level = excess[np.flatnonzero(falling > excess)[-1]]
    exact = np.maximum(due - level, 0)
    counts: Counts = np.floor(exact).astype(np.int64)
    # Pages left over by rounding go to the largest remainders; the lowest node wins ties.
    rest = total - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:rest]] += 1
    return counts
