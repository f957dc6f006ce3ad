"""Outcome of a call: MoveResult, and the exceptions that carry one."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..pages.runs import RUN_DTYPE, Runs, Statuses, per_page_status, restore_read_only
from .absence import Absence, Absences, count_reasons, nothing_absent
from .plain import COUNTS, by_name, outcomes_frame, picked
from .status import PageStatus
from .wording import TORN, describe_counts, describe_missing

# Address, pages, bytes and status: the fields of RUN_DTYPE.
Run: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True, repr=False)
class MoveResult:
    """Outcome of a move as page counts that always add up.

    ``moved + already_there + failed + not_attempted == pages``.

    Attributes
    ----------
    pages : int
        All pages that the move covered.
    moved : int
        Pages moved to their target. If `already_there` is None, all pages that are on their target
        now, including those that were there before.
    already_there : int or None
        Pages that were on their target before the move; for a query, which has no target, pages on
        any node. None if the pages were not queried before the move, as in an error raised by
        `move_pages`.
    failures : mapping of PageStatus to int
        Pages that are not on their target, by reason.
    not_attempted : int
        Pages that the kernel was not asked to move, because the call ended early or because the
        pages are `untargeted`.
    untargeted : int
        Pages without a target, which stay where they are. They are part of `not_attempted`. If the
        target is a placement, pages that were absent in it have no target.
    overruled : int
        Pages that are not where they were wanted, because the target cuts through a huge page,
        which moves as a whole. The counts above treat them as pages with the huge page's target.
    torn : int
        Pages on their target with a part that was wanted elsewhere, because the layout cuts through
        single pages (see `by_axis`), or because members that share the page are wanted on several
        nodes.
    split : int
        Huge pages that ``on_conflict="split"`` split into small pages.
    rounds : int
        Largest number of attempts for any part of the move: 0 if nothing had to move, 1 without a
        retry.
    seconds : float
        Wall time of the move.
    absences : structured ndarray, read-only
        One record for each stretch of absent pages with one reason: ``address``, ``pages`` and
        ``reason``, an `Absence`. Empty if an interruption ended the move.

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
    _runs: Runs | Run | None = field(default=None, compare=False)
    absences: Absences = field(default_factory=nothing_absent, compare=False)
    _members: Mapping[str, MoveResult] | None = field(default=None, compare=False)
    _why_torn: str = field(default=TORN, compare=False)

    def __post_init__(self) -> None:
        total = self.moved + (self.already_there or 0) + self.failed + self.not_attempted
        if total != self.pages:
            raise ValueError(f"the counts of {self!r} add up to {total}, expected {self.pages}")
        if self.untargeted > self.not_attempted:
            raise ValueError(f"untargeted must not exceed not_attempted, got {self!r}")

    def __setstate__(self, state: dict[str, object]) -> None:
        restore_read_only(state)
        self.__dict__.update(state)

    @property
    def runs(self) -> Runs | None:
        """Records of stretches of pages with one status, as in `Placement.runs`.

        If the move ended early, the records end there too. None for an error raised by
        `move_pages`: the error itself holds the status of each page.
        """
        if not isinstance(self._runs, tuple):
            return self._runs
        # Not made earlier, because creating the array takes longer than the query itself.
        runs = np.array([self._runs], RUN_DTYPE)
        runs.flags.writeable = False
        return runs

    @property
    def by_member(self) -> Mapping[str, MoveResult]:
        """Outcome of each member, if the object has several: a mapping from its name.

        Pages that members share count for each of them. `rounds`, `split` and `seconds` are known
        only for the whole move.
        """
        return {} if self._members is None else self._members

    @property
    def failed(self) -> int:
        """Pages that are not on their target although the kernel was asked to move them."""
        return sum(self.failures.values())

    @property
    def ok(self) -> bool:
        """True if every page is where it was wanted, and no page is `torn`."""
        return not (self.failed or self.not_attempted or self.overruled or self.torn)

    @property
    def absent_reasons(self) -> dict[Absence, int]:
        """Count of the pages on no known node, by reason, as far as the kernel reports it."""
        return count_reasons(self.absences)

    @property
    def status(self) -> Statuses:
        """Status of each page, int32, made from the runs at each access.

        Raises
        ------
        ValueError
            The result has no `runs`.
        """
        runs = self.runs
        if runs is None:
            raise ValueError("this result has counts only; the status of each page is on the error")
        status = np.full(self.pages, PageStatus.NOT_ATTEMPTED.value, np.int32)
        reached = per_page_status(runs)
        status[: len(reached)] = reached
        return status

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`; ``by_member`` only for several members."""
        found = picked(self, f"{COUNTS} torn split rounds seconds ok")
        found |= {
            "failures": by_name(self.failures),
            "absent_reasons": by_name(self.absent_reasons),
        }
        members = {name: each.as_dict() for name, each in self.by_member.items()}
        return found | ({"by_member": members} if members else {})

    def to_pandas(self) -> Any:
        """Return a table of page counts with a row for each member, and a column for each reason.

        Returns
        -------
        pandas.DataFrame
            The index has the names of the members. One array has one row, whose name is "".

        Raises
        ------
        ImportError
            pandas is missing.
        """
        return outcomes_frame(self.by_member or {"": self})

    def raise_for_status(self) -> None:
        """Raise a `MovePagesError` unless every page is where it was wanted.

        Raises
        ------
        MovePagesError
            Its errno is that of the most frequent failure. Without failures, it is ECANCELED if the
            move ended early; otherwise ENOENT if pages lack a target; otherwise EBUSY, because
            pages are overruled or torn. Its ``.result`` is this result.
        """
        if self.ok:
            return
        cut_off = self.not_attempted - self.untargeted
        otherwise = errno.ECANCELED if cut_off else errno.ENOENT if self.untargeted else errno.EBUSY
        worst = max(self.failures, key=self.failures.__getitem__, default=-otherwise)
        raise make_error(-worst, describe_missing(self), result=self)

    def __repr__(self) -> str:
        return f"<MoveResult {self}; {'ok' if self.ok else 'not ok'}>"

    def __str__(self) -> str:
        return describe_counts(self)

    def _repr_html_(self) -> str:
        from ..display.html import result_html

        return result_html(self)


class MovePagesError(OSError):
    """A call failed as a whole; the error reports what the call had done before that.

    An error that is raised is also an instance of the built-in exception for its errno, so ``except
    PermissionError`` works as it does for other system calls.

    Attributes
    ----------
    errno : int
        Errno of the call, as in ``errno.ENODEV``.
    strerror : str
        Why the call failed, and what to do about it.
    status : ndarray of int32 or None
        Status of each page when the call ended, if `move_pages` raised the error; true and
        complete.
    result : MoveResult or None
        What the call had done before it failed, as page counts that add up.

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
    """EPERM or EACCES: this process is not permitted to do that."""


class MovePagesLookupError(MovePagesError, ProcessLookupError):
    """ESRCH: the process does not exist."""


class MovePagesMemoryError(MovePagesError, MemoryError):
    """ENOMEM: a node is full, or there is too little memory for the call."""


class MovePagesValueError(MovePagesError, ValueError):
    """ENODEV or EINVAL: a node cannot be used, or the kernel rejects another argument."""


class MovePagesUnsupportedError(MovePagesError, NotImplementedError):
    """ENOSYS: this kernel, or a sandbox, does not provide what the call needs."""


class MovePagesInterruptedError(MovePagesError, InterruptedError):
    """EINTR: a signal arrived while the kernel was looking up the other process."""


class MovePagesTimeoutError(MovePagesError, TimeoutError):
    """ETIMEDOUT: a move did not finish before its deadline."""


class MovePagesCancelledError(MovePagesError):
    """ECANCELED: the progress callback or `BackgroundMove.cancel` ended the call."""


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
    """Return the exception for errno `code`; it carries the partial outcome."""
    name = errno.errorcode.get(code, f"errno {code}")
    error = _CLASSES.get(code, MovePagesError)(code, f"{name}: {sentence}")
    error.status = status
    error.result = result
    return error
