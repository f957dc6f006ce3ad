"""MemberResults: what a move did to each member of an object, by name."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from ..pages.member_rows import MemberRows
from ..pages.named import NamedFootprints
from ..pages.runs import RUN_DTYPE, Runs, Statuses
from .absence import Absences, nothing_absent
from .by_name import ByName
from .cut import Cutter
from .outcome import MoveResult
from .plain import outcomes_frame
from .status import PageStatus
from .wording import TORN

Mask: TypeAlias = "npt.NDArray[np.bool_]"
Ints: TypeAlias = "npt.NDArray[np.int64]"

# Members that are printed.
_SHOWN = 20

NO_RUNS = np.empty(0, RUN_DTYPE)

# What became of a page, beside its status, in the lowest bits of a code. Pages set aside were not
# asked to move: they are placed, or absent.
_THERE, _OVERRULED, _TORN, _STAYS, _ASIDE = 1, 2, 4, 8, 16
_BITS = 5
# NOT_ATTEMPTED has no room for bits beside it. No errno is as large as this.
_NEVER = -(1 << 20)


def encode(
    status: Statuses,
    *,
    there: Mask,
    overruled: Mask | bool = False,
    torn: Mask | bool = False,
    stays: Mask | bool = False,
    aside: bool = False,
) -> Statuses:
    """Return one number for each page, from its status and what became of it."""
    marks = ((there, _THERE), (overruled, _OVERRULED), (torn, _TORN), (stays, _STAYS))
    attempted = np.where(status == PageStatus.NOT_ATTEMPTED.value, np.int32(_NEVER), status)
    codes = attempted.astype(np.int32) << _BITS
    for mark, bit in (*marks, (aside, _ASIDE)):
        codes |= np.where(mark, np.int32(bit), np.int32(0))
    return codes


class TargetView(Protocol):
    """What a result asks of the pattern that was moved to.

    If it has an attribute `why_torn`, this says why pages are torn.
    """

    def count_nowhere(self, index: Ints, addresses: npt.NDArray[np.uintp], pages: Ints) -> Ints:
        """Count the pages without a target in each run of neighbouring pages."""


class MemberTargets(NamedTuple):
    """The members that move, and where to."""

    footprints: NamedFootprints
    target: TargetView


class MemberResults(ByName[MoveResult]):
    """What a move did to each member, made when it is asked for.

    Parameters
    ----------
    outcomes : structured ndarray
        Runs of all pages reached, with codes made by `encode` instead of statuses.
    members : MemberTargets
    absences : structured ndarray, optional
        Records of the absent pages of all members.
    """

    def __init__(
        self, outcomes: Runs, members: MemberTargets, absences: Absences | None = None
    ) -> None:
        self._outcomes, self._members = outcomes, members
        self._footprints, self._target = members
        self._absences = nothing_absent() if absences is None else absences

    def __reduce__(self) -> tuple[type[dict[str, MoveResult]], tuple[dict[str, MoveResult]]]:
        # The target may belong to a layout of the user that cannot be copied or sent.
        return dict, (dict(self),)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self):,} members>"

    def __str__(self) -> str:
        lines = [f"{name}: {self[name]}" for name in islice(self, _SHOWN)]
        rest = len(self) - len(lines)
        return "\n".join([*lines, f"and {rest:,} others"] if rest else lines)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data of each member, ready for `json.dumps`."""
        return {name: each.as_dict() for name, each in self.items()}

    def to_pandas(self) -> Any:
        """Return a table, as `MoveResult.to_pandas` does."""
        return outcomes_frame(self)

    def with_absences(self, absences: Absences) -> MemberResults:
        """Return the same results with the reasons for absent pages."""
        return MemberResults(self._outcomes, self._members, absences)

    @cached_property
    def _cutters(self) -> tuple[Cutter, Cutter]:
        size = self._footprints.page_size
        return Cutter(self._outcomes, size), Cutter(self._absences, size)

    def _make(self, members: range) -> list[MoveResult]:
        rows = MemberRows(self._footprints, members)
        outcomes, absences = (each.cut(rows) for each in self._cutters)
        return [self._result(*each) for each in zip(members, outcomes, absences, strict=True)]

    def _result(self, index: int, outcomes: Runs, absences: Absences) -> MoveResult:
        footprint = self._footprints[index]
        pages, code = outcomes["pages"], outcomes["status"]
        status = code >> _BITS
        reached = status != _NEVER
        status[~reached] = PageStatus.NOT_ATTEMPTED.value
        there = (code & _THERE) > 0
        failed = (status < 0) & reached & ~there
        aside = (code & _ASIDE) > 0
        failures = _totals(status[failed & ~aside], pages[failed & ~aside])
        for each, count in self._absent(outcomes, status, failed & aside).items():
            failures[each] = failures.get(each, 0) + count
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
            absences=absences,
            _why_torn=why_torn(self._target),
        )

    def _absent(self, outcomes: Runs, status: Statuses, which: Mask) -> dict[PageStatus, int]:
        """Count absent pages by status, without those that had no target: these are as wanted."""
        return _totals(status[which], self._with_target(outcomes[which]))

    def _with_target(self, runs: Runs) -> Ints:
        """Count the pages of each run that have a target."""
        if not len(runs):
            return runs["pages"]
        index = self._footprints.pieces.index_of(runs["address"])
        nowhere = self._target.count_nowhere(index, runs["address"], runs["pages"])
        found: Ints = runs["pages"] - nowhere
        return found


def why_torn(target: object) -> str:
    """Return why a move to a target leaves pages torn, and what to do about it."""
    return str(getattr(target, "why_torn", TORN))


def _totals(status: Statuses, pages: Any) -> dict[PageStatus, int]:
    found: dict[PageStatus, int] = {}
    for each, count in zip(status.tolist(), pages.tolist(), strict=True):
        if count:
            found[PageStatus(each)] = found.get(PageStatus(each), 0) + count
    return found


def with_absences(result: MoveResult, absences: Absences) -> MoveResult:
    """Return a result, and those of its members, with the reasons for absent pages."""
    members = result._members
    if isinstance(members, MemberResults):
        members = members.with_absences(absences)
    return replace(result, absences=absences, _members=members)
