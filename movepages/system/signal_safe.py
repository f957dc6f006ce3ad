"""Threads that end even if a signal handler raises while they start.

The thread that starts another waits for it on an event of the threading module. A handler that
raises just after the lock of that event was taken leaves it taken, and the new thread would wait
for it for ever.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any


class _Begun(threading.Event):
    """An event that says that a thread has begun; the thread sets it without taking a lock."""

    _flag: bool

    def set(self) -> None:
        self._flag = True

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002
        while not self._flag:
            time.sleep(2e-5)
        return True


def signal_safe_thread(target: Callable[..., object], **options: Any) -> threading.Thread:
    """Return a `threading.Thread` for `start_thread`, with the options of its constructor."""
    thread = threading.Thread(target=target, **options)
    thread._started = _Begun()  # type: ignore[attr-defined]
    return thread


def start_thread(thread: threading.Thread) -> None:
    """Start a thread; what a signal handler raises meanwhile comes through."""
    try:
        thread.start()
    except KeyError as error:
        # If the handler raises when the thread runs already, threading raises this on clean-up.
        raise error.__context__ or error from None
