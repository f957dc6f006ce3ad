"""Moves in the background: one thread each, and a Future for the outcome.

Locks of the threading module are not signal-safe: if a handler raises just after a lock was taken,
the lock stays taken and the next thread waits for ever. So no code here waits while it holds a lock
that the moving thread needs.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from ..display.brief import format_share
from ..results.outcome import MoveResult
from ..system.signal_safe import signal_safe_thread, start_thread
from ..units import format_pages

# Seconds between two checks for the end, in case a signal made its lock useless.
_LOOK_AGAIN = 0.05

_under_way: set[BackgroundMove] = set()


class BackgroundMove(Future[MoveResult]):
    """A move that runs in its own thread.

    A `concurrent.futures.Future` whose result is a `MoveResult`, with `progress`. Its `cancel` also
    ends a running move. The move then ends with a `MovePagesCancelledError`, whose ``.result``
    holds what had been moved. The move runs in the process that started it. If the process forks
    during the move, the future in the child process is done, and its exception is a RuntimeError.

    Examples
    --------
    >>> a = np.ones(1 << 20)
    >>> job = move(a, topology().allowed_nodes[0], background=True)
    >>> job.result().ok
    True
    """

    _result: MoveResult
    _exception: BaseException | None

    def __init__(self) -> None:
        super().__init__()
        self._to_end = False
        self._progress = (0, 0)
        self._process = os.getpid()
        self._thread = 0
        self._running = threading.Lock()
        self._running.acquire()

    @property
    def progress(self) -> tuple[int, int]:
        """Pages finished and total pages; (0, 0) before the move has begun."""
        return self._progress

    def cancel(self) -> bool:
        """Ask the move to end within one time slice; return False if it is done already."""
        if self.done():
            return False
        self._to_end = True
        return True

    def done(self) -> bool:
        """Return whether the move has ended, by itself or by `cancel`."""
        return bool(self._state == "FINISHED")

    def running(self) -> bool:
        """Return whether the move is still running."""
        return not self.done()

    def result(self, timeout: float | None = None) -> MoveResult:
        """Wait for the outcome, at most `timeout` seconds, and return or raise it."""
        error = self.exception(timeout)
        if error is None:
            return self._result
        try:
            raise error
        finally:
            # The stack frame and its exception would keep each other, and the array, alive.
            del self, error

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait at most `timeout` seconds; return the error that ended the move, or None."""
        end = None if timeout is None else time.monotonic() + timeout
        while not self.done():
            left = _LOOK_AGAIN if end is None else min(end - time.monotonic(), _LOOK_AGAIN)
            if left <= 0:
                raise TimeoutError
            if self._running.acquire(timeout=left):
                self._running.release()
        return self._exception

    def __repr__(self) -> str:
        # That of a Future takes a lock.
        if not self.done():
            done, pages = self._progress
            share = f"{format_share(done, pages)} of {format_pages(pages)}" if pages else "begins"
            return f"<BackgroundMove {share}{', to be ended' if self._to_end else ''}>"
        outcome = self._result if self._exception is None else repr(self._exception)
        return f"<BackgroundMove done: {outcome}>"

    def _note(self, done: int, pages: int) -> bool:
        self._progress = done, pages
        return not self._to_end


def start(
    call: Callable[[Callable[[int, int], bool]], MoveResult],
    progress: Callable[[int, int], object] | None,
) -> BackgroundMove:
    """Run a call that takes a progress callback in a thread; the program waits for it at exit."""
    job = BackgroundMove()
    job.set_running_or_notify_cancel()

    def note(done: int, pages: int) -> bool:
        goes_on = job._note(done, pages)
        return goes_on and (progress is None or progress(done, pages) is not False)

    def run() -> None:
        job._thread = threading.get_ident()
        try:
            result = call(note)
        except BaseException as error:
            job.set_exception(error)
        else:
            job.set_result(result)
        finally:
            job._running.release()
            _under_way.discard(job)

    thread = signal_safe_thread(run, name="movepages")
    try:
        _under_way.add(job)
        start_thread(thread)
    except BaseException:
        # The caller gets no job to query or cancel.
        job.cancel()
        _under_way.discard(job)
        raise
    return job


def _end_in_child() -> None:
    """Finish jobs in a forked child, where only the forking thread runs."""
    for job in list(_under_way):
        # The job's own progress callback may have forked: then its thread is this one.
        if job._thread == threading.get_ident():
            continue
        _under_way.discard(job)
        # The thread may have held the lock at the fork. Its waiters are in the parent.
        job._condition = threading.Condition()
        job._waiters.clear()
        job._done_callbacks.clear()  # type: ignore[attr-defined]
        if not job.done():
            job.set_exception(
                RuntimeError(
                    f"this move runs in process {job._process}, which began it, and not in its "
                    f"child {os.getpid()}; ask for its result there"
                )
            )


os.register_at_fork(after_in_child=_end_in_child)
