"""Wait for the end of a process that is not a child."""

from __future__ import annotations

import math
import os
import select
import time

from ..system.refusals import Refusal


class EndOf:
    """Tells when a process ends."""

    def __init__(self, pid: int) -> None:
        self._pidfd: int | None = None
        # For a thread, or before Linux 5.3, only the next sample shows the end. Python refuses a
        # number that is too large for a process; then the first sample says that there is none.
        with Refusal(OverflowError):
            # A process ID could belong to another process by the next sample; a pidfd cannot.
            self._pidfd = os.pidfd_open(pid)

    def comes_within(self, seconds: float) -> bool:
        """Wait, and return whether the process is known to have ended."""
        if self._pidfd is None:
            time.sleep(seconds)
            return False
        # Unlike select(), poll() takes file descriptors of any number.
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(math.ceil(seconds * 1000)))

    def close(self) -> None:
        """Close the descriptor."""
        if self._pidfd is not None:
            pidfd, self._pidfd = self._pidfd, None
            os.close(pidfd)

    __del__ = close
