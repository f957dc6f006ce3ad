"""A move of some regions of a process, one after the other, and what it has come to."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import movepages as mp

from ..layouts.interleave import Interleave
from ..migration.huge_page_targets import OnConflict
from ..query.hidden_pages import mapped_nodes_read_once
from ..system.maps import mappings_read_once
from ..units import format_bytes
from .regions import Regions

Progress = Callable[[int], object]


@dataclass
class Outcome:
    """Pages by what became of them; the counts add up to `pages` at every moment.

    Attributes
    ----------
    elsewhere : int
        Pages in memory that are not where they were wanted by /proc/PID/numa_maps, beyond those
        that failed: they came meanwhile, or the kernel tells nothing of them. They are counted
        above as something else.
    """

    pages: int
    moved: int = 0
    already_there: int = 0
    failures: Counter[mp.PageStatus] = field(default_factory=Counter)
    absent: int = 0
    overruled: int = 0
    split: int = 0
    elsewhere: int = 0
    seconds: float = 0.0
    error: str = ""

    @property
    def failed(self) -> int:
        """Pages that have memory and are not where they were wanted."""
        return self.failures.total()

    @property
    def not_attempted(self) -> int:
        """Pages the kernel was not asked to move."""
        return self.pages - self.moved - self.already_there - self.failed - self.absent

    @property
    def ok(self) -> bool:
        """Whether all that has memory is where it was wanted."""
        missed = self.failed or self.not_attempted or self.overruled or self.elsewhere
        return not (missed or self.error)

    def add(self, result: mp.MoveResult) -> None:
        """Take in what became of one region."""
        self.moved += result.moved
        self.already_there += result.already_there or 0
        self.overruled += result.overruled
        self.split += result.split
        self.seconds += result.seconds
        # Of a process most pages have no memory, which is no failure to move them.
        without = (mp.PageStatus.ENOENT, mp.PageStatus.EFAULT)
        for status, count in result.failures.items():
            if status in without:
                self.absent += count
            else:
                self.failures[status] += count

    def forget_hidden(self) -> None:
        """Take pages that this kernel hides as not attempted: something is being done to them."""
        self.failures.pop(mp.PageStatus.ENODATA, None)

    def replace(self, again: Outcome) -> None:
        """Take the outcome of a second turn over the same pages for that of both."""
        again.moved += max(again.already_there - self.already_there, 0)
        again.already_there = min(again.already_there, self.already_there)
        again.seconds += self.seconds
        self.__dict__.update(again.__dict__)


class Piece(NamedTuple):
    """What is moved at once, where to, and how much memory it has."""

    region: mp.Region
    target: Any
    in_memory: int


def pieces(pid: int, regions: Regions, target: Any) -> Iterator[Piece]:
    """Yield what to move at once: for one node regions that touch, for a layout each by itself.

    Nodes in turn go on from region to region: of many small ones all would have the first node.
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
    """What a move would come to.

    Attributes
    ----------
    flows : Counter of (int, int)
        Bytes from node to node; those in place from a node to itself.
    problems : list of str
        What keeps it from being carried out in full.
    hidden, stuck : int
        Pages in memory on a node that is not known, and those of them that nobody may access, which
        move_pages(2) does not move.
    overruled : int
        Pages that would go with their huge page, and not where they are wanted.
    split : int
        Huge pages that would be split.
    """

    flows: Counter[tuple[int, int]]
    problems: list[str]
    hidden: int = 0
    stuck: int = 0
    overruled: int = 0
    split: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes that would move."""
        return sum(n for (source, to), n in self.flows.items() if source != to)


def forecast(
    pid: int, regions: Regions, target: Any, on_conflict: OnConflict = "majority"
) -> Forecast:
    """Add up what moving each of the regions would do; nothing moves."""
    flows: Counter[tuple[int, int]] = Counter()
    hidden = stuck = overruled = split = 0
    with mappings_read_once(pid), mapped_nodes_read_once():
        for piece in pieces(pid, regions, target):
            plan = mp.plan(piece.region, piece.target, on_conflict=on_conflict)
            overruled += plan.overruled
            split += plan.split
            flows.update(plan.flows)
            hidden += plan.hidden
            stuck += plan.hidden * _has_closed(regions, piece.region)
    # Room for each region by itself is not room for all of them.
    coming: Counter[int] = Counter()
    for (source, to), nbytes in flows.items():
        coming[to] += nbytes * (source != to)
    here = mp.topology().nodes
    short = [
        f"node {node} has {format_bytes(here[node].memory_free)} free, and {format_bytes(nbytes)} "
        "would come to it"
        for node, nbytes in sorted(coming.items())
        if node in here and nbytes > here[node].memory_free
    ]
    # Of no memory at all a plan tells which nodes may not be used.
    refused = mp.plan(mp.Region(0, 0, pid), target).problems
    return Forecast(flows, [*refused, *short], hidden, stuck, overruled, split)


def _has_closed(regions: Regions, within: mp.Region) -> bool:
    """Tell whether some of these regions may not be read by their own process."""
    start = regions["address"]
    some = regions[(start >= within.address) & (start < within.address + within.nbytes)]
    return any("r" not in str(permissions) for permissions in some["permissions"])


def migrate(
    pid: int,
    regions: Regions,
    target: Any,
    flags: int,
    tell: Progress,
    outcome: Outcome,
    on_conflict: OnConflict = "majority",
) -> None:
    """Move the regions; `tell` is called with the bytes done so far, `outcome` told each result.

    The first call that fails as a whole ends it.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C. The outcome is that of what was done by then.
    """
    done = 0
    try:
        with mappings_read_once(pid), mapped_nodes_read_once():
            for region, to, held in pieces(pid, regions, target):

                def progress(pages: int, of: int, before: int = done, held: int = held) -> None:
                    tell(before + held * pages // max(of, 1))

                with warnings.catch_warnings():
                    # The command tells of overruled pages itself, all regions together.
                    warnings.simplefilter("ignore", mp.LayoutWarning)
                    moved = mp.move(
                        region, to, flags=flags, on_conflict=on_conflict, progress=progress
                    )
                outcome.add(moved)
                done += held
                tell(done)
    except mp.MovePagesError as error:
        if error.result is not None:
            outcome.add(error.result)
        outcome.error = error.strerror or str(error)
    except KeyboardInterrupt as interrupt:
        result = getattr(interrupt, "result", None)
        if result is not None:
            outcome.add(result)
        raise
