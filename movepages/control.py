"""What ends a move early or makes it try again: deadline, progress callback, retry policy."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TypeAlias

from .errors import PageStatus, make_error

Progress: TypeAlias = Callable[[int, int], object]


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Which pages that failed get another turn, and how often.

    Attributes
    ----------
    reasons : collection of PageStatus
        Statuses worth another turn; by default EBUSY alone, as no other passes by itself.
    attempts : int
        Turns after the first, at most; 0 for none.
    backoff : float
        Seconds before the second turn; twice as long before each one after it.
    deadline : float
        Seconds that a move may spend on further turns in all.

    Raises
    ------
    ValueError
        A negative number.

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
            if getattr(self, name) < 0:
                raise ValueError(
                    f"RetryPolicy {name}: expected 0 or more, got {getattr(self, name)}"
                )


class Control:
    """Asked in every slice of about 25 ms whether the move goes on."""

    def __init__(
        self, total: int, retry: RetryPolicy, deadline: float | None, progress: Progress | None
    ) -> None:
        self.retry = retry
        self.done = 0
        self._total = total
        self._progress = progress
        self._deadline = deadline
        self._start = time.monotonic()
        self._retrying = 0.0

    def __call__(self) -> None:
        """Raise when the time is up or the callback says so.

        Raises
        ------
        MovePagesTimeoutError, MovePagesCancelledError
        """
        if self._deadline is not None and time.monotonic() - self._start > self._deadline:
            raise make_error(
                errno.ETIMEDOUT,
                f"the deadline of {self._deadline} s has passed; the result tells what was done, "
                "and the same call again does the rest",
            )
        if self._progress is not None and self._progress(self.done, self._total) is False:
            raise make_error(
                errno.ECANCELED,
                "the progress callback returned False; the result tells what was done, and the "
                "same call again does the rest",
            )

    def finish(self) -> None:
        """Tell the callback that all is done; there is nothing left to cancel."""
        if self._progress is not None:
            self._progress(self._total, self._total)

    def waits_for_turn(self, turn: int) -> bool:
        """Wait before a further turn; False where the policy allows none."""
        pause = self.retry.backoff * 2 ** (turn - 1)
        if turn > self.retry.attempts or self._retrying + pause > self.retry.deadline:
            return False
        self._retrying += pause
        time.sleep(pause)
        self()
        return True
