"""What became of a call: MoveResult, and the exceptions that carry one."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..pages.runs import RUN_DTYPE, Runs, Statuses, per_page_status, restore_read_only
from .absence import Absence, Absences, count_reasons, nothing_absent
from .status import PageStatus
from .wording import describe_counts, describe_missing

# Address, pages, bytes and status, as RUN_DTYPE has them.
Run: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class MoveResult:
    """Outcome of a move as page counts that always add up.

    ``moved + already_there + failed + not_attempted == pages``.

    Attributes
    ----------
    pages : int
        Pages the move was about.
    moved : int
        Pages brought to their target. Where `already_there` is None, pages that are on their
        target now, whether they were there before or not.
    already_there : int or None
        Pages found on their target; for a query, which has none, on any node. None where nobody
        looked before moving, which is so for an error raised by `move_pages`.
    failures : mapping of PageStatus to int
        Pages that are not on their target, by reason.
    not_attempted : int
        Pages the kernel was not asked to move: the call ended before, or they are `untargeted`.
    untargeted : int
        Of these, pages that had no target and stay: a placement says nothing of what was absent.
    overruled : int
        Pages that are not where they were wanted because the target cut through a huge page, which
        moves as a whole. They are counted above as pages of the node the huge page was sent to.
    torn : int
        Pages on their target of which a part was wanted elsewhere, because the layout cuts through
        single pages: see `by_axis`.
    split : int
        Huge pages that were split into small ones, by ``on_conflict="split"``.
    rounds : int
        Turns the kernel got at most: 0 where nothing was to move, 1 without a retry.
    seconds : float
        Wall time the move took.
    absences : structured ndarray, read-only
        Of a move that ended by itself: one record for each stretch of absent pages of one kind,
        ``address``, ``pages`` and ``reason``, an `Absence`.

    Examples
    --------
    >>> r = MoveResult(pages=5, moved=3, already_there=1, failures={PageStatus.EBUSY: 1})
    >>> r.failed, r.ok
    (1, False)
    """

    pages: int
    moved: int = 0
    already_there: int | None = 0
    failures: Mapping[PageStatus, int] = field(default_factory=dict)
    not_attempted: int = 0
    untargeted: int = 0
    overruled: int = 0
    torn: int = 0
    split: int = 0
    rounds: int = 0
    seconds: float = 0.0
    recorded: Runs | Run | None = field(default=None, repr=False, compare=False)
    absences: Absences = field(default_factory=nothing_absent, repr=False, compare=False)

    def __post_init__(self) -> None:
        total = self.moved + (self.already_there or 0) + self.failed + self.not_attempted
        if total != self.pages:
            raise ValueError(f"the counts of {self!r} make {total}, not {self.pages}")
        if self.untargeted > self.not_attempted:
            raise ValueError(f"untargeted pages are not attempted, in {self!r} there are more")

    def __setstate__(self, state: dict[str, object]) -> None:
        restore_read_only(state)
        self.__dict__.update(state)

    @property
    def runs(self) -> Runs | None:
        """Records of stretches of pages with one status, as of a `Placement`.

        Of a move that ended early they end where it did. None for an error raised by `move_pages`,
        which has the status of each page itself.
        """
        if not isinstance(self.recorded, tuple):
            return self.recorded
        # Made when asked for: to make it takes longer than it took to find out.
        runs = np.array([self.recorded], RUN_DTYPE)
        runs.flags.writeable = False
        return runs

    @property
    def failed(self) -> int:
        """Pages that are not on their target although the kernel was asked."""
        return sum(self.failures.values())

    @property
    def ok(self) -> bool:
        """True when every page is where it was wanted, with all that is in it."""
        return not (self.failed or self.not_attempted or self.overruled or self.torn)

    @property
    def absent_reasons(self) -> dict[Absence, int]:
        """Pages on no known node by reason, as far as the kernel lets one know."""
        return count_reasons(self.absences)

    @property
    def status(self) -> Statuses:
        """Status of each page, int32, made anew from the runs each time it is asked for.

        Raises
        ------
        ValueError
            There are no `runs`.
        """
        runs = self.runs
        if runs is None:
            raise ValueError("this result has counts alone; the status is on the error itself")
        status = np.full(self.pages, PageStatus.NOT_ATTEMPTED.value, np.int32)
        reached = per_page_status(runs)
        status[: len(reached)] = reached
        return status

    def raise_for_status(self) -> None:
        """Raise a `MovePagesError` unless every page is where it was wanted.

        Raises
        ------
        MovePagesError
            With the errno of the most frequent failure, ENOENT where pages only lack a target,
            EBUSY where pages were only overruled or torn, and this result as ``.result``.
        """
        if self.ok:
            return
        cut_off = self.not_attempted - self.untargeted
        otherwise = errno.ECANCELED if cut_off else errno.ENOENT if self.untargeted else errno.EBUSY
        worst = max(self.failures, key=self.failures.__getitem__, default=-otherwise)
        raise make_error(-worst, describe_missing(self), result=self)

    def __str__(self) -> str:
        return describe_counts(self)

    def _repr_html_(self) -> str:
        from ..display.html import result_html

        return result_html(self)


class MovePagesError(OSError):
    """A call failed as a whole; nothing of what it did is lost.

    Every one raised is also the built-in exception that matches its errno, so
    ``except PermissionError`` works as it does for any other system call.

    Attributes
    ----------
    errno : int
        Errno of the call, as in ``errno.ENODEV``.
    strerror : str
        Why, and what to do about it.
    status : ndarray of int32 or None
        From `move_pages`: status of each page when the call ended; true and complete.
    result : MoveResult or None
        What had been done by then, as counts that add up.

    Examples
    --------
    >>> try:
    ...     move_pages([0], 1023)
    ... except MovePagesError as error:
    ...     print(error.errno == errno.ENODEV, error.result.not_attempted)
    True 1
    """

    status: npt.NDArray[np.int32] | None = None
    result: MoveResult | None = None


class MovePagesPermissionError(MovePagesError, PermissionError):
    """EPERM or EACCES: this process may not do that."""


class MovePagesLookupError(MovePagesError, ProcessLookupError):
    """ESRCH: there is no such process."""


class MovePagesMemoryError(MovePagesError, MemoryError):
    """ENOMEM: a target node is full."""


class MovePagesValueError(MovePagesError, ValueError):
    """ENODEV or EINVAL: an argument the kernel has no use for."""


class MovePagesUnsupportedError(MovePagesError, NotImplementedError):
    """ENOSYS: this kernel has no move_pages(2)."""


class MovePagesInterruptedError(MovePagesError, InterruptedError):
    """EINTR: a signal came while the other process was being looked up."""


class MovePagesTimeoutError(MovePagesError, TimeoutError):
    """ETIMEDOUT: the deadline of a move has passed."""


class MovePagesCancelledError(MovePagesError):
    """ECANCELED: the progress callback ended a move."""


_CLASSES: dict[int, type[MovePagesError]] = {
    errno.EPERM: MovePagesPermissionError,
    errno.EACCES: MovePagesPermissionError,
    errno.ESRCH: MovePagesLookupError,
    errno.ENOMEM: MovePagesMemoryError,
    errno.ENODEV: MovePagesValueError,
    errno.EINVAL: MovePagesValueError,
    errno.ENOSYS: MovePagesUnsupportedError,
    errno.EINTR: MovePagesInterruptedError,
    errno.ETIMEDOUT: MovePagesTimeoutError,
    errno.ECANCELED: MovePagesCancelledError,
}


def make_error(
    code: int,
    sentence: str,
    *,
    status: npt.NDArray[np.int32] | None = None,
    result: MoveResult | None = None,
) -> MovePagesError:
    """Return the exception for errno `code`, with the partial outcome on it."""
    name = errno.errorcode.get(code, f"errno {code}")
    error = _CLASSES.get(code, MovePagesError)(code, f"{name}: {sentence}")
    error.status = status
    error.result = result
    return error
