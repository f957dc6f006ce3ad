"""Deadline, progress callback, retry policy, bandwidth limit and threads of a move."""

from __future__ import annotations

import errno
import math
import mmap
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from ..results.outcome import make_error
from ..results.status import PageStatus
from ..system.threads import worthwhile_threads
from .progress import Progress

# Moving fewer pages takes less time than starting a thread.
_PAGES_A_THREAD = 64
# With a bandwidth limit, a slice holds as many bytes as the limit allows in so many seconds.
_SLICE_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Which failed pages are tried again, and how often.

    Attributes
    ----------
    reasons : collection of PageStatus
        Statuses worth another attempt; by default EBUSY alone, because the others do not go away.
    attempts : int
        Maximum number of attempts after the first; 0 for none.
    backoff : float
        Seconds to wait before the second attempt. The wait doubles before each further attempt.
    deadline : float
        Seconds that a move may spend on further attempts in total, waits included.

    Raises
    ------
    TypeError, ValueError
        A value is not a number, or negative; `reasons` is not a collection of statuses.

    Examples
    --------
    >>> node = topology().allowed_nodes[0]
    >>> move(np.ones(1 << 20), node, retry=RetryPolicy(attempts=5)).ok
    True
    """

    reasons: Collection[PageStatus] = field(default=(PageStatus.EBUSY,))
    attempts: int = 2
    backoff: float = 0.01
    deadline: float = 1.0

    def __post_init__(self) -> None:
        for name in ("attempts", "backoff", "deadline"):
            try:
                # A NaN is neither above nor below 0, and a deadline of NaN would never pass.
                is_sound = getattr(self, name) >= 0
            except TypeError:
                raise TypeError(
                    f"RetryPolicy {name}: expected a number, got {getattr(self, name)!r}"
                ) from None
            if not is_sound:
                raise ValueError(
                    f"RetryPolicy {name}: expected 0 or more, got {getattr(self, name)}"
                )
        try:
            # An iterator can be read only once. Positive errno numbers are refused here.
            reasons = tuple(PageStatus(each) for each in self.reasons)
        except (TypeError, ValueError) as wrong:
            kind = type(wrong)
            raise kind(
                "RetryPolicy reasons: expected a collection such as [PageStatus.EBUSY], got "
                f"{self.reasons!r}"
            ) from None
        object.__setattr__(self, "reasons", reasons)


def as_deadline(seconds: float | None) -> float | None:
    """Return a deadline as a float; refuse NaN, which would never pass."""
    if seconds is None:
        return None
    try:
        found = float(seconds)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if math.isnan(found):
        raise ValueError(f"deadline: expected seconds or None, got {seconds!r}")
    return found


class Control:
    """Decides about every 25 ms whether a move goes on."""

    def __init__(
        self,
        total: int,
        retry: RetryPolicy,
        deadline: float | None,
        progress: Progress | None,
        limit: float | None = None,
        threads: int | None = None,
    ) -> None:
        self.retry = retry
        self._threads = threads
        self._limit = limit
        self.done = 0
        self._total = total
        self._progress = progress
        self._deadline = deadline
        self._start = time.monotonic()
        self._retrying = 0.0
        self._turn_start: float | None = None

    def __call__(self) -> None:
        """Raise if the deadline has passed or the callback returned False.

        Raises
        ------
        MovePagesTimeoutError, MovePagesCancelledError
        """
        if self._deadline is not None and time.monotonic() - self._start > self._deadline:
            raise make_error(
                errno.ETIMEDOUT,
                f"the deadline of {self._deadline} s has passed; the result says what was done, "
                "and the same call again does the rest",
            )
        if self._progress is not None and self._progress(self.done, self._total) is False:
            raise make_error(
                errno.ECANCELED,
                "it was cancelled, or its progress callback returned False; the result says what "
                "was done, and the same call again does the rest",
            )

    @property
    def most_bytes(self) -> float:
        """Largest slice in bytes that cannot exceed the bandwidth limit by much."""
        return float("inf") if self._limit is None else self._limit * _SLICE_SECONDS

    def threads_for(self, pages: int) -> int:
        """Return how many threads move some pages."""
        if self._threads is None:
            return worthwhile_threads(pages * mmap.PAGESIZE)
        return max(min(self._threads, pages // _PAGES_A_THREAD), 1)

    def throttle(self, moved_bytes: int) -> None:
        """Wait until `moved_bytes` since the start are within the bandwidth limit."""
        if self._limit is None:
            return
        while (ahead := self._start + moved_bytes / self._limit - time.monotonic()) > 0:
            time.sleep(min(ahead, _SLICE_SECONDS))
            self()

    def finish(self) -> None:
        """Report completion to the callback; its answer no longer matters."""
        if self._progress is not None:
            self._progress(self._total, self._total)

    def waits_for_turn(self, turn: int) -> bool:
        """Wait before a further turn; return False if the policy allows none."""
        # The number of turns is unlimited, and 2.0 ** 1024 overflows.
        pause = self.retry.backoff * 2.0 ** min(turn - 1, 1000)
        if turn > self.retry.attempts or self._retrying + pause > self.retry.deadline:
            return False
        self._turn_start = time.monotonic()
        time.sleep(pause)
        self()
        return True

    def end_turn(self) -> None:
        """Add the time of a finished turn, and of the wait before it, to the time spent."""
        if self._turn_start is not None:
            self._retrying += time.monotonic() - self._turn_start
            self._turn_start = None
