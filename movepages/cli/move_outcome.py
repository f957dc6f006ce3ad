"""What became of the pages that moved, region by region or file by file."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import movepages as mp


@dataclass
class Outcome:
    """Pages counted by result; the counts add up to `pages` at every moment.

    Attributes
    ----------
    overruled : int
        Pages on another node than wanted, because their huge page moves as a whole. They are also
        counted as pages of the node that the huge page was sent to.
    torn : int
        Pages on their target with parts of several tensors, some of which are wanted elsewhere.
    elsewhere : int
        Pages in memory that /proc/PID/numa_maps shows off their target, beyond those that failed:
        they were faulted in meanwhile, or the kernel does not report them. They are also counted
        as something else.
    """

    pages: int
    moved: int = 0
    already_there: int = 0
    failures: Counter[mp.PageStatus] = field(default_factory=Counter)
    absent: int = 0
    overruled: int = 0
    torn: int = 0
    split: int = 0
    elsewhere: int = 0
    seconds: float = 0.0
    error: str = ""

    @property
    def failed(self) -> int:
        """Pages in memory that could not be moved to their target."""
        return self.failures.total()

    @property
    def not_attempted(self) -> int:
        """Pages that the kernel was not asked to move."""
        return self.pages - self.moved - self.already_there - self.failed - self.absent

    @property
    def ok(self) -> bool:
        """Whether every page in memory is on its target."""
        missed = self.failed or self.not_attempted or self.elsewhere
        return not (missed or self.overruled or self.torn or self.error)

    def add(self, result: mp.MoveResult) -> None:
        """Add the result for one region."""
        self.moved += result.moved
        self.already_there += result.already_there or 0
        self.overruled += result.overruled
        self.torn += result.torn
        self.split += result.split
        self.seconds += result.seconds
        # Most pages of a process are not in memory, which is no failure to move them.
        without = (mp.PageStatus.ENOENT, mp.PageStatus.EFAULT)
        for status, count in result.failures.items():
            if status in without:
                self.absent += count
            else:
                self.failures[status] += count

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Within this block, add what an exception of a move tells of its pages.

        A MovePagesError ends the block, and is kept as `error`; Ctrl-C is raised again. The command
        itself reports overruled and torn pages, once for all moves, so LayoutWarning is silent.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", mp.LayoutWarning)
                yield
        except mp.MovePagesError as error:
            if error.result is not None:
                self.add(error.result)
            self.error = error.strerror or str(error)
        except KeyboardInterrupt as interrupt:
            result = getattr(interrupt, "result", None)
            if result is not None:
                self.add(result)
            raise

    def forget_hidden(self) -> None:
        """Count hidden pages as not attempted, before a new attempt.

        Hidden pages are in memory, but this kernel's move_pages(2) takes them for absent.
        """
        self.failures.pop(mp.PageStatus.ENODATA, None)

    def replace(self, again: Outcome) -> None:
        """Combine with `again`, the outcome of a second pass over the same pages."""
        again.moved += max(again.already_there - self.already_there, 0)
        again.already_there = min(again.already_there, self.already_there)
        again.seconds += self.seconds
        self.__dict__.update(again.__dict__)
