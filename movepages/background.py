"""Moves that go on while the program does: a thread each, and a Future that tells of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from .result import MoveResult


class BackgroundMove(Future[MoveResult]):
    """A move under way in a thread of its own.

    A `concurrent.futures.Future` whose result is a `MoveResult`, with progress and a `cancel` that
    ends a move that has begun: it is done then with a `MovePagesCancelledError`, whose ``.result``
    tells what had been moved.

    Examples
    --------
    >>> a = np.ones(1 << 20)
    >>> job = move(a, topology().allowed_nodes[0], background=True)
    >>> job.result().ok
    True
    """

    def __init__(self) -> None:
        super().__init__()
        self._stop = threading.Event()
        self._progress = (0, 0)

    @property
    def progress(self) -> tuple[int, int]:
        """Pages done with, and pages in all; (0, 0) before it has begun."""
        return self._progress

    def cancel(self) -> bool:
        """Ask it to end within a time slice; False where it is done already."""
        if self.done():
            return False
        self._stop.set()
        return True

    def _note(self, done: int, pages: int) -> bool:
        self._progress = done, pages
        return not self._stop.is_set()


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
        try:
            result = call(note)
        except BaseException as error:
            job.set_exception(error)
        else:
            job.set_result(result)

    threading.Thread(target=run, name="movepages").start()
    return job
