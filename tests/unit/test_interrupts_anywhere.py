"""What a signal handler raises comes out of every call as it is, whenever the signal comes."""

import gc
import itertools
import os
import signal
import time

import numpy as np
import pytest

import movepages as mp
from support import memory

SECONDS_EACH = 0.5
# Of so many on a slow machine some meet the call.
FEWEST_EACH = 30


class InterruptionError(TimeoutError):
    """What nothing but the handler raises, though it is an OSError, as time limits often are."""


def moments(call):
    """Yield delays after which a signal meets `call` somewhere along its way."""
    call()
    start = time.perf_counter()
    call()
    longest = 1.5 * (time.perf_counter() - start)
    rng = np.random.default_rng(0)
    end = time.monotonic() + SECONDS_EACH
    for tried in itertools.count():
        if tried >= FEWEST_EACH and time.monotonic() > end:
            return
        yield max(longest * float(rng.random()), 2e-6)


def calls():
    whole = memory.anonymous(8 << 20)
    whole[:] = 1
    scattered = whole[::8192]
    node = mp.topology().allowed_nodes[0]
    placement = mp.where(scattered)
    holder = memoryview(bytearray(1 << 16))
    return {
        "where": lambda: mp.where(scattered),
        "where of a buffer": lambda: mp.where(holder),
        "where of nothing mapped": lambda: mp.where(mp.Region(0, 1 << 28)),
        "equal placements": lambda: placement == mp.where(scattered),
        "move": lambda: mp.move(scattered, node),
        "plan": lambda: mp.plan(whole, mp.interleave([node])).execute(),
        "bind": lambda: mp.bind(whole, node),
        "empty": lambda: mp.empty(1 << 20, node=node),
        "regions": lambda: mp.process(os.getpid()).regions(),
        "preflight": mp.preflight,
    }


@pytest.fixture
def _no_collections():
    """Have no cyclic garbage collected: what is raised in the callbacks of others then is lost."""
    gc.disable()
    yield
    gc.enable()


# One that comes between open() and its `with` leaves the file to the interpreter.
@pytest.mark.filterwarnings("ignore:.*unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("_no_collections")
@pytest.mark.parametrize("name", calls())
def test_is_heard_as_it_is(name):
    call = calls()[name]
    armed, heard = False, 0

    def interrupt(_signal, _frame):
        nonlocal armed
        # One that was late is not of this call.
        if armed:
            armed = False
            raise InterruptionError

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for delay in moments(call):
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, delay)
                call()
                lost, armed = not armed, False
            except InterruptionError:
                heard += 1
            else:
                assert not lost, f"a signal {delay} s after the start of the call went unheard"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert heard
