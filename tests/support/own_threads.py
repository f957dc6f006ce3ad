"""The threads of this process as the kernel lists them, and the wait for their end."""

import os
import time

PATIENCE_S = 300


def ids() -> set[int]:
    """Return the kernel's ids of all threads of this process."""
    return {int(tid) for tid in os.listdir("/proc/self/task")}


def ended_since(before: set[int]) -> bool:
    """Wait until no thread is left that was not there before, and tell whether that came true.

    The kernel wakes who joins a thread (mm_release() in kernel/fork.c) before it takes the thread
    off the list, so a thread that was joined may still be listed.
    """
    until = time.monotonic() + PATIENCE_S
    while ids() - before and time.monotonic() < until:
        time.sleep(0.001)
    return ids() <= before
