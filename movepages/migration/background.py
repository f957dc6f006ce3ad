"""Moves that go on while the program does: a thread each, and a Future that tells of it.

The locks of threading are not safe from signals: what a handler raises just after one was taken
leaves it taken, and whoever needs it next waits for ever. So nothing is waited for under a lock
that the moving thread needs.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from ..results.outcome import MoveResult

# Seconds between two looks, should the lock that tells of the end have been lost to a signal.
_LOOK_AGAIN = 0.05

_under_way: set[BackgroundMove] = set()


class BackgroundMove(Future[MoveResult]):
    """A move under way in a thread of its own.

    A `concurrent.futures.Future` whose result is a `MoveResult`, with progress and a `cancel` that
    ends a move that has begun: it is done then with a `MovePagesCancelledError`, whose ``.result``
    tells what had been moved. It runs in the process that began it: in a child that is forked
    meanwhile, it is done with a RuntimeError that says so.

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
        """Pages done with, and pages in all; (0, 0) before it has begun."""
        return self._progress

    def cancel(self) -> bool:
        """Ask it to end within a time slice; False where it is done already."""
        if self.done():
            return False
        self._to_end = True
        return True

    def done(self) -> bool:
        """Tell whether it has come to its end, by itself or by `cancel`."""
        return bool(self._state == "FINISHED")

    def running(self) -> bool:
        """Tell whether it is still under way."""
        return not self.done()

    def result(self, timeout: float | None = None) -> MoveResult:
        """Wait for the outcome, so many seconds at most, and return or raise it."""
        error = self.exception(timeout)
        if error is None:
            return self._result
        try:
            raise error
        finally:
            # A frame and its exception would keep each other, and the caller's array, alive.
            del self, error

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the outcome, so many seconds at most, and return what ended the move early."""
        end = None if timeout is None else time.monotonic() + timeout
        while not self.done():
            left = _LOOK_AGAIN if end is None else min(end - time.monotonic(), _LOOK_AGAIN)
            if left <= 0:
                raise TimeoutError
            if self._running.acquire(timeout=left):
                self._running.release()
        return self._exception

    def _note(self, done: int, pages: int) -> bool:
        self._progress = done, pages
        return not self._to_end


class _Begun(threading.Event):
    """Tells that a thread has begun; who waits for it takes no lock that the thread needs."""

    _flag: bool

    def set(self) -> None:
        self._flag = True

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002
        while not self._flag:
            time.sleep(2e-5)
        return True


def start(
    call: Callable[[Callable[[int, int], bool]], MoveResult],
    progress: Callable[[int, int], object] | None,
) -> BackgroundMove:
    """Run a call that takes a progress callback in a thread; the program's end waits for it."""
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

    thread = threading.Thread(target=run, name="movepages")
    thread._started = _Begun()  # type: ignore[attr-defined]
    try:
        _under_way.add(job)
        thread.start()
    except BaseException as error:
        # Nobody will have it, to ask it or to cancel it.
        job.cancel()
        _under_way.discard(job)
        # Interrupted once the thread has begun, threading fails to forget it, with a KeyError.
        if isinstance(error, KeyError) and error.__context__ is not None:
            raise error.__context__ from None
        raise
    return job


def _end_in_child() -> None:
    """Make done what does not run here, as no thread but the forking one does."""
    for job in list(_under_way):
        # Its own progress callback may have forked.
        if job._thread == threading.get_ident():
            continue
        _under_way.discard(job)
        # The thread may have held the lock, and what waits for it waits in the parent.
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
