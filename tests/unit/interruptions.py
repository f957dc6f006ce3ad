"""Signals at random moments of a call, whose handler raises what nothing else does."""

import itertools
import signal
import sys
import time

import numpy as np

# Of so many on a slow machine some meet the call.
FEWEST_EACH = 30


class InterruptionError(TimeoutError):
    """What nothing but the handler raises, though it is an OSError, as time limits often are."""


def moments(call, seconds):
    """Yield delays after which a signal meets `call` somewhere along its way."""
    call()
    start = time.perf_counter()
    call()
    longest = 1.5 * (time.perf_counter() - start)
    rng = np.random.default_rng(0)
    end = time.monotonic() + seconds
    for tried in itertools.count():
        if tried >= FEWEST_EACH and time.monotonic() > end:
            return
        yield max(longest * float(rng.random()), 2e-6)


def trial(call, seconds, check=lambda _interruption: None):
    """Interrupt `call` at random moments; `check` gets what it raised, or None, each time.

    Return how many signals met it.
    """
    armed, heard, told = False, 0, []

    def interrupt(_signal, _frame):
        nonlocal armed
        # One that was late is not of this call.
        if armed:
            armed = False
            raise InterruptionError

    # Python itself tells of what is raised in callbacks of weak references, such as threading has,
    # and goes on.
    hook, sys.unraisablehook = sys.unraisablehook, lambda info: told.append(info.exc_type)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for delay in moments(call, seconds):
            raised = None
            told.clear()
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, delay)
                call()
                lost, armed = not armed, False
            except InterruptionError as error:
                heard += 1
                # Its traceback keeps what the call had, and that would be found.
                raised = error.with_traceback(None)
            else:
                lost = lost and InterruptionError not in told
                assert not lost, f"a signal {delay} s after the start of the call went unheard"
            check(raised)
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        sys.unraisablehook = hook
    return heard
