"""One move with its arguments checked, for this thread or another."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..layouts.targets import Target
from ..pages.named import NamedFootprints
from ..pages.page_set import PageSet
from ..results.outcome import MovePagesError, MoveResult
from ..results.warnings import LayoutWarning, MovePagesWarning, calls_in_package
from ..results.wording import OVERRULED
from . import executor
from .control import Control, RetryPolicy
from .huge_page_targets import OnConflict
from .progress import Progress, drawing

OnError: TypeAlias = Literal["raise", "warn"]


@dataclass(eq=False)
class Job:
    """What to move, where to, and how."""

    # The arrays live as long as the thread that moves them, even if a container drops them.
    kept: tuple[object, ...]
    pages: PageSet
    target: Target
    members: NamedFootprints | None
    flags: int
    retry: RetryPolicy
    on_conflict: OnConflict
    on_error: OnError
    deadline: float | None
    limit: float | None
    threads: int | None
    shown: Progress | None

    def run(self, report: Progress | None) -> MoveResult:
        """Move the pages, and `report` from time to time."""
        try:
            with drawing(self.shown):
                control = Control(
                    self.pages.pages,
                    self.retry,
                    self.deadline,
                    report,
                    self.limit,
                    threads=self.threads,
                )
                return executor.migrate(
                    self.pages, self.target, self.flags, control, self.on_conflict, self.members
                )
        except MovePagesError as error:
            if self.on_error == "raise" or error.result is None:
                raise
            message = f"{error.strerror} ({error.result})"
            _warn(MovePagesWarning(message), error.result)
            return error.result


def warn_of_pages_elsewhere(result: MoveResult) -> None:
    """Issue a warning if some pages are not, or not wholly, where they were wanted."""
    parts = [
        f"{pages:,} of {result.pages:,} pages ({pages / result.pages:.1%}) are not{wholly} where "
        f"they were wanted: {why}"
        for pages, wholly, why in (
            (result.overruled, "", OVERRULED),
            (result.torn, " wholly", result._why_torn),
        )
        if pages
    ]
    if parts:
        _warn(LayoutWarning("; ".join(parts)), result)


def _warn(warning: MovePagesWarning | LayoutWarning, result: MoveResult) -> None:
    """Issue a warning at the line of the user that led to it."""
    # If warnings are errors, the result is on the warning.
    warning.result = result
    warnings.warn(warning, stacklevel=calls_in_package())
