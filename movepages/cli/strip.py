"""What a strip shows: an array's pages in a few cells, and a character for each node."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import movepages as mp


def cells(placement: mp.Placement, count: int) -> list[int]:
    """Divide the pages into `count` cells, at most one a page.

    Returns
    -------
    list of int
        The node most pages of a cell are on; -1 where most are absent.

    Examples
    --------
    >>> cells(mp.where(np.ones(1 << 20)), 4) == [min(mp.where(np.ones(1 << 20)).bytes_per_node)] * 4
    True
    """
    edges = np.linspace(0, placement.pages, min(count, placement.pages) + 1)
    ends = np.concatenate(([0], np.cumsum(placement.runs["pages"])))
    status = np.maximum(placement.runs["status"], -1)
    kinds = np.unique(status)
    # How many pages of a kind come before an edge is linear within a run.
    counts = [
        np.diff(np.interp(edges, ends, _cumulated(placement.runs["pages"] * (status == kind))))
        for kind in kinds
    ]
    found: list[int] = kinds[np.argmax(counts, axis=0)].tolist()
    return found


def _cumulated(values: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[int]:
    return [0, *np.cumsum(values).tolist()]


def symbols(nodes: list[int]) -> Mapping[int, str]:
    """Return one character for each node: its number, or letters if there are long numbers.

    Examples
    --------
    >>> symbols([0, 2]), symbols([0, 10])
    ({0: '0', 2: '2'}, {0: 'A', 10: 'B'})
    """
    if max(nodes, default=0) < 10:
        return {node: str(node) for node in nodes}
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return {node: letters[i % len(letters)] for i, node in enumerate(nodes)}
