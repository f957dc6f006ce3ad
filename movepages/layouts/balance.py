"""Balance: sends huge pages that a target cuts so that each node gets the bytes it was to get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Counts: TypeAlias = "npt.NDArray[np.int64]"
NodeArray: TypeAlias = "npt.NDArray[np.int32]"

# As in `patterns`, which is above this module: a page without a target.
_NOWHERE = -1


class Balance:
    """How many pages each node is behind what was wanted there, carried from choice to choice.

    A huge page goes to one node as a whole, so the others that wanted a part of it fall behind, and
    have the better claim to the next one. This is error diffusion: no node stays more than about
    one huge page behind, whatever the target.
    """

    def __init__(self) -> None:
        self._behind: dict[int, float] = {}

    def copy(self) -> Balance:
        """Return another that is as far."""
        other = Balance()
        other._behind = dict(self._behind)
        return other

    @property
    def farthest(self) -> float:
        """Pages that the node farthest behind lacks."""
        return max(self._behind.values(), default=0.0)

    def choose(self, nodes: Sequence[int], votes: Counts) -> NodeArray:
        """Return a node for each of several huge pages, of those that want a part of it.

        Parameters
        ----------
        nodes : sequence of int
            Nodes in ascending order.
        votes : ndarray of int64, shape (huge pages, nodes)
            How many pages of each are wanted on each node; none at all leaves it without a target.
        """
        behind = [self._behind.get(node, 0) for node in nodes]
        chosen = np.full(len(votes), _NOWHERE, np.int32)
        for row, wanted in enumerate(votes.tolist()):
            voters = [i for i, count in enumerate(wanted) if count]
            if not voters:
                continue
            # Of several with the same claim the lowest, which max() finds first.
            best = max(voters, key=lambda i: behind[i] + wanted[i])
            for i in voters:
                behind[i] += wanted[i]
            behind[best] -= sum(wanted)
            chosen[row] = nodes[best]
        self._behind.update(zip(nodes, behind, strict=True))
        return chosen

    def fill(self, pages: int, shares: Mapping[int, float]) -> NodeArray:
        """Return a node for each of some small pages, by shares that add up to 1.

        Nodes that are behind catch up first, in as far as there are pages enough. Each node's pages
        are spread evenly among the others'.
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
    """Divide `total` as `due` has it, in whole numbers from 0; what is due adds up to `total`."""
    # A node that is ahead gets nothing, and the others get less than is due to them, all by as
    # much: find the level above which their dues add up.
    falling = -np.sort(-due)
    excess = (np.cumsum(falling) - total) / np.arange(1, len(due) + 1)
    level = excess[np.flatnonzero(falling > excess)[-1]]
    exact = np.maximum(due - level, 0)
    counts: Counts = np.floor(exact).astype(np.int64)
    # What rounding leaves goes to the largest remainders, of equal ones to the lowest node.
    rest = total - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:rest]] += 1
    return counts
