"""Compares what a call reports about pages of every kind with where they are."""

from collections.abc import Sequence
from errno import EBUSY, ENODATA, ENOMEM

import numpy as np

from . import witness
from .kinds import MOVE_ALL, Kind
from .kinds_frames import ABSENT, Frames, compacted, nodes_of_frames

# The statuses that the kernel and the package give to pages that the kernel hides.
_OF_HIDDEN = (-2, -14, -ENODATA)
NOT_ATTEMPTED = np.iinfo(np.int32).min
_MOST = 63
# The number of pages per call that the second witness checks: each takes a system call.
_SECOND_OPINIONS = 6


def bits(errnos: frozenset[int]) -> np.uint64:
    """Return a set of negative errnos as a word of bits."""
    return np.uint64(sum(1 << -each for each in errnos))


def _bit_of(status: np.ndarray) -> np.ndarray:
    """Return the bit of each errno; for any other value, a bit that no reason has."""
    code = np.where((status < 0) & (status > -_MOST), -status.astype(np.int64), 0)
    return np.uint64(1) << code.astype(np.uint64)


class Judge:
    """Knows all pages of several kinds, by index.

    Attributes
    ----------
    pages : ndarray of uintp
        Address of each page.
    kind : ndarray of int
        Index of each page's kind.
    first : ndarray of int
        Index of the first page of each kind, then the number of pages in all.
    absent : ndarray of uint64
        Errnos, as `bits`, of pages on no node. Code that makes a hole must set them here.
    """

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self.kinds = kinds
        counts = [len(kind.pages) for kind in kinds]
        self.first = np.concatenate(([0], np.cumsum(counts)))
        self.pages = np.concatenate([kind.pages for kind in kinds])
        self.kind = np.repeat(np.arange(len(kinds)), counts)
        self.absent = np.repeat([bits(kind.absent) for kind in kinds], counts)
        self._hidden = np.repeat([kind.hidden for kind in kinds], counts)
        witnessed = [kind.data is not None and kind.witnessed for kind in kinds]
        self._witnessed = np.repeat(witnessed, counts)
        base = np.repeat(self.first[:-1], counts)
        self._folio = base + np.concatenate([kind.folios for kind in kinds])
        self._rules = []
        for rules in ([k.rule for k in kinds], [k.rule_all for k in kinds]):
            moves = [-1 if rule.moves is None else int(rule.moves) for rule in rules]
            reasons = [bits(rule.reasons) for rule in rules]
            self._rules.append((np.repeat(moves, counts), np.repeat(reasons, counts)))
        self._huge_pages = Frames(self.pages)
        self._compacted = compacted()

    def close(self) -> None:
        """Close the witness's file."""
        self._huge_pages.close()

    def look(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the frame number and the node of every page, from the page tables."""
        frames = self._huge_pages.read()
        return frames, nodes_of_frames(frames)

    def contested(self, asked: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return which of the named pages have a folio with several nodes as targets."""
        least = np.full(len(self.pages), np.iinfo(np.int32).max)
        most = np.full(len(self.pages), -1)
        folio = self._folio[asked]
        np.minimum.at(least, folio, target)
        np.maximum.at(most, folio, target)
        return least[folio] != most[folio]

    def of_query(self, asked, status, now) -> np.ndarray:
        """Return which statuses of a query are wrong, as a mask of the named pages."""
        _, node = now
        errno = _bit_of(status)
        absent = self.absent[asked]
        hidden = self._hidden[asked] & np.isin(status, _OF_HIDDEN)
        right = np.where(absent != 0, absent & errno != 0, (status == node[asked]) | hidden)
        return ~right | self._second_opinion(asked, node)

    def of_move(self, asked, status, target, flags, before, now, error=0) -> np.ndarray:
        """Return which statuses of a move are wrong, as a mask of the named pages.

        `error` is the errno of a call that failed as a whole.
        """
        node, was = now[1][asked], before[1][asked]
        moves, reasons = (each[asked] for each in self._rules[flags & MOVE_ALL != 0])
        absent, errno = self.absent[asked], _bit_of(status)
        contested = self.contested(asked, target)
        hidden = self._hidden[asked] & np.isin(status, _OF_HIDDEN)
        # With several targets, each page is asked for again at the end.
        mixed = len(target) > 0 and bool((target != target[0]).any())
        unseen = self._hidden[asked] & (status == -ENODATA) & mixed
        reasons = reasons | np.where(contested, bits(frozenset({-EBUSY})), np.uint64(0))
        if error == ENOMEM:
            reasons = reasons | bits(frozenset({-ENOMEM}))
        untold = (status == NOT_ATTEMPTED) & (error != 0)
        excused = (reasons & errno != 0) | untold
        right = np.where(
            absent != 0,
            (absent & errno != 0) | untold,
            np.where(
                node == target, (status == target) | hidden, (status < 0) & (excused | unseen)
            ),
        )
        lazy = (moves == 1) & ~contested & (node != target) & (absent == 0) & (error == 0)
        carried = (moves == 0) & (absent == 0) & (node != was)
        return ~right | lazy | carried | self._second_opinion(asked, now[1])

    def bystanders(self, asked, before, now) -> np.ndarray:
        """Return which pages changed although the call named neither them nor their folio.

        Pages on no node must not change either, named or not.
        """
        touched = np.zeros(len(self.pages), bool)
        touched[self._folio[asked]] = True
        spared = ~touched[self._folio] | (self.absent != 0)
        changed = spared & (before[0] != now[0])
        if changed.any() and self._compacted != compacted():
            self._compacted = compacted()
            changed &= (before[1] != now[1]) | (self.absent != 0)
        return changed

    def _second_opinion(self, asked, node) -> np.ndarray:
        """Return which of a few pages get_mempolicy(2) finds elsewhere than the page tables do."""
        wrong = np.zeros(len(asked), bool)
        good = self._witnessed[asked] & (self.absent[asked] == 0) & (node[asked] != ABSENT)
        some = np.flatnonzero(good)
        some = some[:: max(1, len(some) // _SECOND_OPINIONS)]
        found = witness.nodes_of(self.pages[asked[some]])
        wrong[some] = found != node[asked[some]]
        return wrong

    def describe(self, wrong, asked, status, target, before, now) -> str:
        """Return a few lines about pages with a wrong status."""
        lines = []
        for i in np.flatnonzero(wrong)[:8]:
            page = asked[i]
            name = self.kinds[self.kind[page]].name
            wanted = "" if target is None else f" wanted {target[i]}"
            lines.append(
                f"{name} page {page - self.first[self.kind[page]]}: reported {status[i]}{wanted},"
                f" was on {before[1][page]}, is on {now[1][page]}"
            )
        return "\n".join(lines)
