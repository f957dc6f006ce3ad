"""MemberResults: what a move did to each member of an object, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from ..pages.named import NamedFootprints
from ..pages.runs import RUN_DTYPE, Runs, Statuses
from .cut import cut_runs
from .outcome import MoveResult
from .status import PageStatus

Mask: TypeAlias = "npt.NDArray[np.bool_]"
Ints: TypeAlias = "npt.NDArray[np.int64]"

NO_RUNS = np.empty(0, RUN_DTYPE)

# What became of a page, beside its status, in the lowest bits of a code.
_THERE, _OVERRULED, _TORN, _STAYS = 1, 2, 4, 8
_BITS = 4


def encode(
    status: Statuses,
    *,
    there: Mask,
    overruled: Mask | bool = False,
    torn: Mask | bool = False,
    stays: Mask | bool = False,
) -> Statuses:
    """Return one number for each page, from its status and what became of it."""
    marks = ((there, _THERE), (overruled, _OVERRULED), (torn, _TORN), (stays, _STAYS))
    codes = status.astype(np.int32) << _BITS
    for mark, bit in marks:
        codes |= np.where(mark, np.int32(bit), np.int32(0))
    return codes


class TargetView(Protocol):
    """What a result asks of the pattern that was moved to."""

    def count_nowhere(self, index: Ints, addresses: npt.NDArray[np.uintp], pages: Ints) -> Ints:
        """Count the pages without a target in each run of neighbouring pages."""


class MemberTargets(NamedTuple):
    """The members that move, and where to."""

    footprints: NamedFootprints
    target: TargetView


class MemberResults(Mapping[str, MoveResult]):
    """What a move did to each member, made when it is asked for.

    Parameters
    ----------
    outcomes : structured ndarray
        Runs of all pages reached, with codes made by `encode` instead of statuses.
    members : MemberTargets
    """

    def __init__(self, outcomes: Runs, members: MemberTargets) -> None:
        self._outcomes = outcomes
        self._footprints, self._target = members

    def __len__(self) -> int:
        return len(self._footprints)

    def __iter__(self) -> Iterator[str]:
        return iter(self._footprints.names)

    def __contains__(self, key: object) -> bool:
        return self._footprints.find(key) is not None

    def __getitem__(self, key: object) -> MoveResult:
        """Return what became of the pages of one member."""
        index = self._footprints.find(key)
        if index is None:
            raise KeyError(key)
        footprint = self._footprints[index]
        outcomes = cut_runs(self._outcomes, footprint)
        pages, code = outcomes["pages"], outcomes["status"]
        status = code >> _BITS
        there = (code & _THERE) > 0
        failed = (status < 0) & (status != PageStatus.NOT_ATTEMPTED.value) & ~there
        failures = _totals(status[failed], self._failed(outcomes[failed]))
        reached = status != PageStatus.NOT_ATTEMPTED.value
        moved = int(pages[(status >= 0) & ~there].sum())
        placed = int(pages[reached].sum()) - moved - sum(failures.values())
        runs = outcomes.copy()
        runs["status"] = status
        runs.flags.writeable = False
        return MoveResult(
            pages=footprint.pages,
            moved=moved,
            already_there=placed,
            failures=failures,
            not_attempted=footprint.pages - moved - placed - sum(failures.values()),
            untargeted=int(pages[(code & _STAYS) > 0].sum()),
            overruled=int(pages[(code & _OVERRULED) > 0].sum()),
            torn=int(pages[(code & _TORN) > 0].sum()),
            _runs=runs,
        )

    def _failed(self, runs: Runs) -> Ints:
        """Count the failed pages of each run, without those that had no target and no memory."""
        if not len(runs):
            return runs["pages"]
        index = self._footprints.pieces.index_of(runs["address"])
        nowhere = self._target.count_nowhere(index, runs["address"], runs["pages"])
        found: Ints = runs["pages"] - nowhere
        return found


def _totals(status: Statuses, pages: Any) -> dict[PageStatus, int]:
    found: dict[PageStatus, int] = {}
    for each, count in zip(status.tolist(), pages.tolist(), strict=True):
        if count:
            found[PageStatus(each)] = found.get(PageStatus(each), 0) + count
    return found
