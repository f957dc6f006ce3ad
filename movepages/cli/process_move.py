"""Move regions of a process one after the other, and add up the results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Unpack

import movepages as mp

from ..layouts.interleave import Interleave
from ..migration.forecast import bytes_arriving
from ..migration.huge_page_targets import OnConflict
from ..migration.move import MoveOptions
from ..migration.plan import short_of_memory
from ..query.readings import mappings_read_once
from .move_outcome import Outcome
from .regions import Regions

Progress = Callable[[int], object]


class Piece(NamedTuple):
    """A range to move in one call, its target, and its bytes in memory."""

    region: mp.Region
    target: Any
    in_memory: int


def pieces(pid: int, regions: Regions, target: Any) -> Iterator[Piece]:
    """Yield the ranges to move: adjacent regions joined for a node, each region for a layout.

    Interleaving continues from region to region; otherwise many small regions would all go to the
    first node.
    """
    address = end = held = 0
    for row in regions:
        start = int(row["address"])
        if end and not (start == end and isinstance(target, int)):
            yield Piece(mp.Region(address, end - address, pid), target, held)
            if isinstance(target, Interleave):
                target = target.after(mp.Region(address, end - address, pid))
            end = held = 0
        address, end = address if end else start, start + int(row["nbytes"])
        held += int(row["bytes"].sum())
    if end:
        yield Piece(mp.Region(address, end - address, pid), target, held)


@dataclass
class Forecast:
    """The expected result of a move.

    Attributes
    ----------
    flows : Counter of (int, int)
        Bytes from node to node; bytes already in place go from a node to itself.
    problems : list of str
        Reasons why the move would be incomplete.
    hidden, stuck : int
        Pages in memory on an unknown node. `stuck` counts those of them in regions that their
        process cannot read: move_pages(2) does not move these.
    overruled : int
        Pages that would go to another node than wanted, along with their huge page.
    torn : int
        Pages with parts of several tensors that are wanted on different nodes.
    split : int
        Huge pages that would be split.
    """

    flows: Counter[tuple[int, int]] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    hidden: int = 0
    stuck: int = 0
    overruled: int = 0
    torn: int = 0
    split: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes that would move."""
        return sum(bytes_arriving(self.flows).values())

    def add(self, plan: mp.Plan) -> None:
        """Add the plan for one region or file."""
        self.flows.update(plan.flows)
        self.overruled += plan.overruled
        self.torn += plan.torn
        self.split += plan.split

    def add_problems(self, target: Any, pid: int = 0) -> None:
        """Add why nodes may not be used, or lack room for all regions together."""
        # The plan of an empty region names only the nodes that may not be used.
        self.problems += mp.plan(mp.Region(0, 0, pid), target).problems
        # Each region alone may fit on a node that has no room for all of them.
        self.problems += short_of_memory(bytes_arriving(self.flows), mp.topology().nodes)


def forecast(
    pid: int, regions: Regions, target: Any, on_conflict: OnConflict = "majority"
) -> Forecast:
    """Plan a move of each region and add up the plans; nothing moves."""
    found = Forecast()
    with mappings_read_once():
        for piece in pieces(pid, regions, target):
            plan = mp.plan(piece.region, piece.target, on_conflict=on_conflict)
            found.add(plan)
            found.hidden += plan.hidden
            found.stuck += plan.hidden * _has_closed(regions, piece.region)
    found.add_problems(target, pid)
    return found


def _has_closed(regions: Regions, within: mp.Region) -> bool:
    """Return whether a region that starts inside `within` is unreadable to its own process."""
    start = regions["address"]
    some = regions[(start >= within.address) & (start < within.address + within.nbytes)]
    return any("r" not in str(permissions) for permissions in some["permissions"])


def migrate(
    pid: int,
    regions: Regions,
    target: Any,
    tell: Progress,
    outcome: Outcome,
    **how: Unpack[MoveOptions],
) -> None:
    """Move the regions, pass the bytes done so far to `tell`, and add each result to `outcome`.

    The first call that fails as a whole ends the move. `how` is passed on to `movepages.move`.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C. `outcome` then holds what was done so far.
    """
    done = 0
    with outcome.collecting(), mappings_read_once():
        for region, to, held in pieces(pid, regions, target):

            def progress(pages: int, of: int, before: int = done, held: int = held) -> None:
                tell(before + held * pages // max(of, 1))

            how["progress"] = progress
            moved = mp.move(region, to, **how)
            outcome.add(moved)
            done += held
            tell(done)
