"""A move of some regions of a process, one after the other, and what it has come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import movepages as mp

from .regions import Regions

Progress = Callable[[int], object]


@dataclass
class Outcome:
    """Pages by what became of them; the counts add up to `pages` at every moment."""

    pages: int
    moved: int = 0
    already_there: int = 0
    failures: Counter[mp.PageStatus] = field(default_factory=Counter)
    absent: int = 0
    overruled: int = 0
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
        return not (self.failed or self.not_attempted or self.error)

    def add(self, result: mp.MoveResult) -> None:
        """Take in what became of one region."""
        self.moved += result.moved
        self.already_there += result.already_there or 0
        self.overruled += result.overruled
        self.seconds += result.seconds
        # Of a process most pages have no memory, which is no failure to move them.
        without = (mp.PageStatus.ENOENT, mp.PageStatus.EFAULT)
        for status, count in result.failures.items():
            if status in without:
                self.absent += count
            else:
                self.failures[status] += count


def migrate(pid: int, regions: Regions, target: Any, flags: int, tell: Progress) -> Outcome:
    """Move the regions; `tell` is called with the pages done so far.

    The first call that fails as a whole ends it.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C, with the `Outcome` so far as ``.outcome``.
    """
    page = mp.topology().page_size
    outcome, done = Outcome(int(regions["nbytes"].sum()) // page), 0
    try:
        for row in regions:
            region = mp.Region(int(row["address"]), int(row["nbytes"]), pid)
            before = done

            def progress(pages: int, _all: int, before: int = before) -> None:
                tell(before + pages)

            outcome.add(mp.move(region, target, flags=flags, progress=progress))
            done += region.nbytes // page
            tell(done)
    except mp.MovePagesError as error:
        if error.result is not None:
            outcome.add(error.result)
        outcome.error = error.strerror or str(error)
    except KeyboardInterrupt as interrupt:
        result = getattr(interrupt, "result", None)
        if result is not None:
            outcome.add(result)
        interrupt.outcome = outcome  # type: ignore[attr-defined]
        raise
    return outcome
