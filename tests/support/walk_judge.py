"""Compares what the package reports about arrays with where their pages are."""

from dataclasses import dataclass, field
from errno import EACCES, EBUSY, EFAULT, ENODATA, ENOENT, ENOMEM

import numpy as np

import movepages as mp
from movepages import Absence

from . import witness
from .kinds_base import HIDES
from .kinds_frames import compacted
from .memory import PAGE
from .walk_areas import Area
from .walk_looks import Look

NOT_ATTEMPTED = np.iinfo(np.int32).min
NO_PAGE = (-ENOENT, -EFAULT)
STAYED = (-EBUSY, -EACCES, -ENOMEM)
# In memory, but the kernel does not say where.
UNKNOWN = -ENODATA
_SECOND_OPINIONS = 3


def among(status: np.ndarray, some: tuple[int, ...]) -> np.ndarray:
    """Return which statuses are among a few. Much faster than np.isin(), and called often."""
    return np.logical_or.reduce([status == int(each) for each in some])


@dataclass
class Asked:
    """A part of an area that a call was about, and the state of its pages before."""

    area: Area
    array: np.ndarray
    pages: np.ndarray
    nbytes: np.ndarray
    # Pages that another thread changes during the call.
    wild: np.ndarray
    before: Look = field(init=False)
    after: Look = field(init=False)
    compacted: int = field(init=False)
    lies: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.calm = not self.wild.any()
        self.still = ~self.wild[self.pages]
        self.look_before()

    def look_before(self) -> None:
        """Record the state of the pages before the call that is judged."""
        self.compacted = compacted()
        self.before = self.after = Look(self.area.array, mixed=self.area.mixed)
        _, self.folio = np.unique(self.before.folios(), return_inverse=True)

    def look(self) -> Look:
        """Record the state of the pages now, and return it."""
        self.after = Look(self.area.array)
        return self.after

    def lie(self, wrong: np.ndarray, what: str, status: np.ndarray, target=None) -> None:
        """Note a few of the pages with a false report."""
        for i in np.flatnonzero(wrong)[:4]:
            page = self.pages[i]
            wanted = "" if target is None else f" wanted {target[i]}"
            states = [n for n in ("open", "gone", "guarded", "pinned", "locked")
                      if getattr(self.area, n)[page]]  # fmt: skip
            self.lies.append(
                f"{what}: page {page}: status {status[i]}{wanted}, was on {self.before.node[page]},"
                f" is on {self.after.node[page]} {'zero ' * bool(self.after.zero[page])}{states}"
            )

    def expect(self, name: str, said: object, right: object) -> None:
        """Note a count that is wrong."""
        if said != right:
            self.lies.append(f"{name}: reported {said}, expected {right}")

    def contested(self, target: np.ndarray) -> np.ndarray:
        """Return which of the pages have a folio with several nodes as targets."""
        folio = self.folio[self.pages]
        least = np.full(self.folio.max() + 1, np.iinfo(np.int32).max)
        most = np.full(len(least), -2)
        np.minimum.at(least, folio, target)
        np.maximum.at(most, folio, target)
        return (least != most)[folio]

    def hidden(self) -> np.ndarray:
        """Return which pages the kernel may hide although they are in memory."""
        return HIDES & ~self.area.open[self.pages] & self.after.there[self.pages]

    @staticmethod
    def told(status: np.ndarray, node: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """Return which statuses are true."""
        there = (status == node) | (hidden & (status == UNKNOWN))
        return np.where(node >= 0, there, among(status, NO_PAGE))


def check_where(asked: Asked, placement: mp.Placement) -> None:
    """Check a placement, and that the query touched no page."""
    status, node = placement.status, asked.after.node[asked.pages]
    asked.expect("pages", placement.pages, len(asked.pages))
    asked.expect("nbytes", placement.nbytes, int(asked.nbytes.sum()))
    absent = among(status, NO_PAGE)
    asked.lie(~asked.told(status, node, asked.hidden()) & asked.still, "where", status)
    _second_opinion(asked, status)
    if not asked.calm:
        return
    asked.lie(
        (asked.before.frame != asked.after.frame)[asked.pages], "the query touched pages", status
    )
    nodes = sorted(set(status[status >= 0].tolist()))
    held = {n: int(asked.nbytes[status == n].sum()) for n in nodes}
    asked.expect("bytes_per_node", placement.bytes_per_node, held)
    counted = {n: int((status == n).sum()) for n in nodes}
    asked.expect("pages_per_node", placement.pages_per_node, counted)
    hidden = status == UNKNOWN
    asked.expect("absent_pages", placement.absent_pages, int(absent.sum()))
    asked.expect("hidden_pages", placement.hidden_pages, int(hidden.sum()))
    asked.expect("hidden_bytes", placement.hidden_bytes, int(asked.nbytes[hidden].sum()))
    _check_reasons(asked, placement, status)


def _check_reasons(asked: Asked, placement: mp.Placement, status: np.ndarray) -> None:
    area, pages = asked.area, asked.pages
    reason = np.zeros(len(pages), int)
    first = int(area.addresses[pages[0]])
    for address, count, why in placement.absences.tolist():
        begin = (address - first) // PAGE + pages[0]
        reason[slice(*np.searchsorted(pages, [begin, begin + count]))] = why
    asked.lie((reason != 0) != (status < 0), "absences", status)
    zero, there = asked.after.zero[pages], asked.after.there[pages]
    untouched = Absence.NOT_ENTERED if area.shared else Absence.UNTOUCHED
    right = np.full(len(pages), untouched.value)
    right[area.gone[pages]] = Absence.UNMAPPED
    right[zero] = Absence.ZERO_PAGE
    right[there] = Absence.HIDDEN
    guarded = area.guarded[pages]
    # Linux 6.13 and 6.14 have guard regions, but do not report them.
    good = (reason == right) | (guarded & among(reason, (Absence.GUARD, Absence.SWAPPED)))
    good |= asked.hidden() & zero & (reason == Absence.HIDDEN)
    wrong = ~good & (status < 0)
    asked.lie(wrong, f"reasons {reason[wrong][:4]} for {right[wrong][:4]}", status)


def check_move(
    asked: Asked, result: mp.MoveResult, target: np.ndarray, *, early: bool, excuse: bool
) -> None:
    """Check the result of a move.

    `early` says that it ended with an error, `excuse` that pages may stay for a reason that is
    not known here.
    """
    status, before, after = result.status, asked.before, asked.after
    node, was = after.node[asked.pages], before.node[asked.pages]
    asked.expect("pages", result.pages, len(asked.pages))
    untold = status == NOT_ATTEMPTED
    absent, stayed = among(status, NO_PAGE), among(status, STAYED)
    right = np.select(
        [status >= 0, absent, status == UNKNOWN, stayed, untold],
        [node == status, node < 0, asked.hidden(), (node >= 0) & (node != target),
         early | (target < 0)],
    )  # fmt: skip
    asked.lie(~right.astype(bool) & asked.still, "move", status, target)
    _second_opinion(asked, status)
    total = result.moved + (result.already_there or 0) + result.failed + result.not_attempted
    asked.expect("the sum of the counts", total, result.pages)
    asked.expect("not_attempted", result.not_attempted, int(untold.sum()))
    asked.expect("moved + already_there + absent restored",
                 result.moved + result.already_there + result.failed,
                 len(status) - int(untold.sum()))  # fmt: skip
    fine = (result.failed, result.not_attempted, result.overruled, result.torn) == (0, 0, 0, 0)
    asked.expect("ok", result.ok, fine)
    if result.torn:
        # A layout that cuts through pages does so all over the array.
        elsewhere = (status != target) | (target < 0)
        asked.expect("torn", result.torn, int(np.count_nonzero((status >= 0) & ~elsewhere)))
    if not asked.calm:
        return
    if (target >= 0).all():
        same = (status >= 0) & (was == status)
        # A page that a conflict carried away and back may count as either.
        sure = int((same & ~asked.contested(target)).sum())
        if not sure <= (result.already_there or 0) <= int(same.sum()):
            asked.expect("already_there", result.already_there, (sure, int(same.sum())))
        counts = {mp.PageStatus(s): int((status == s).sum())
                  for s in set(status[(status < 0) & ~untold].tolist())}  # fmt: skip
        asked.expect("failures", dict(result.failures), counts)
    elsewhere = (status >= 0) & (target >= 0) & (status != target)
    asked.expect("overruled", result.overruled, int(elsewhere.sum()))
    _check_causes(asked, status, target, elsewhere, excuse or early)


def _check_causes(asked, status, target, elsewhere, excuse) -> None:
    """Check that each page off its target has a cause, and that no other page moved."""
    area, pages, before = asked.area, asked.pages, asked.before
    changed = before.frame != asked.after.frame
    outside = np.ones(area.pages, bool)
    outside[pages] = False
    odd = elsewhere | among(status, STAYED)
    if not odd.any() and not (outside & changed).any():
        return
    folio = asked.folio
    asked_folios = np.zeros(folio.max() + 1, bool)
    asked_folios[folio[pages]] = True
    stray = changed & outside & ~asked_folios[folio]
    if stray.any() and compacted() != asked.compacted:
        stray &= before.node != asked.after.node
    if stray.any():
        asked.lies.append(f"{int(stray.sum())} pages moved that the call did not name")
    contested = asked.contested(target)
    asked.lie(elsewhere & ~contested, "overruled without a conflict", status, target)
    held = np.zeros(len(asked_folios), bool)
    causes = area.pinned | before.shared | (HIDES & ~area.open)
    np.logical_or.at(held, folio, causes)
    idle = among(status, (-EBUSY, -EACCES)) & ~contested & ~held[folio[pages]]
    if idle.any() and not excuse:
        i = int(idle.argmax())
        asked.idle.append(
            f"{int(idle.sum())} stayed without a cause, such as page {pages[i]}: {status[i]} wanted"
            f" {target[i]}, on {asked.after.node[pages[i]]}"
        )


def _second_opinion(asked: Asked, status: np.ndarray) -> None:
    """Check a few of the readable pages with get_mempolicy(2), too."""
    good = asked.still & (status >= 0) & (asked.area.open & asked.after.there)[asked.pages]
    some = np.flatnonzero(good)
    some = some[:: max(1, len(some) // _SECOND_OPINIONS)]
    found = witness.nodes_of(asked.area.addresses[asked.pages[some]])
    wrong = np.zeros(len(status), bool)
    wrong[some] = found != status[some]
    asked.lie(wrong, "get_mempolicy disagrees", status)


def check_contents(area: Area, now: Look, wild: np.ndarray, *, whole: bool) -> list[str]:
    """Return which contents changed although nothing wrote to them."""
    wrong = area.differing(now.there & ~wild, whole=whole)
    return [f"the contents of pages {wrong[:8].tolist()} have changed"] if len(wrong) else []
