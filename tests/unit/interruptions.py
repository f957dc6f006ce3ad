"""Send signals at random moments of a call; their handler raises an exception of its own."""

import contextlib
import gc
import signal
import sys
import time

import numpy as np

# On a slow machine, some of this many signals meet the call.
FEWEST_EACH = 30
PATIENCE_S = 180


class InterruptionError(TimeoutError):
    """Raised by nothing but the handler. It is an OSError, as time limits often are."""


@contextlib.contextmanager
def collected():
    """Collect garbage when asked alone, and then only what is new.

    Exceptions that a handler raises while cyclic garbage is collected get lost, and to look at all
    objects of all tests each time would take longer than what is tried.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


class Moments:
    """An iterator over delays after which a signal arrives somewhere within a call.

    A machine that does other work for a while makes the call seem longer than it is, and signals
    come after its end. Until one is heard, the delays become shorter, and there are more of them.
    """

    def __init__(self, call, seconds):
        call()
        start = time.perf_counter()
        call()
        self._longest = 1.5 * (time.perf_counter() - start)
        self._random = np.random.default_rng(0)
        self._end, self._tried = time.monotonic() + seconds, 0
        self.heard = 0

    def __iter__(self):
        return self

    def __next__(self):
        end = self._end if self.heard else self._end + PATIENCE_S
        if self._tried >= FEWEST_EACH and time.monotonic() > end:
            raise StopIteration
        self._tried += 1
        if not self.heard and self._tried % FEWEST_EACH == 0:
            self._longest /= 2
        return max(self._longest * float(self._random.random()), 2e-6)


def trial(call, seconds, check=lambda _interruption: None):
    """Interrupt `call` at random moments; pass what it raised, or None, to `check` each time.

    Return how many signals met the call.
    """
    armed, told = False, []

    def interrupt(_signal, _frame):
        nonlocal armed
        # A signal that was late does not belong to this call.
        if armed:
            armed = False
            raise InterruptionError

    # Python only reports what callbacks of weak references raise, such as those of threading, and
    # goes on.
    hook, sys.unraisablehook = sys.unraisablehook, lambda info: told.append(info.exc_type)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        moments = Moments(call, seconds)
        for delay in moments:
            raised = None
            told.clear()
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, delay)
                call()
                lost, armed = not armed, False
            except InterruptionError as error:
                moments.heard += 1
                # Its traceback would keep the objects of the call, and `check` would find them.
                raised = error.with_traceback(None)
            else:
                lost = lost and InterruptionError not in told
                assert not lost, f"a signal {delay} s after the start of the call was lost"
            check(raised)
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        sys.unraisablehook = hook
    return moments.heard
