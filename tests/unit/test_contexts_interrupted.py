"""A `with` block leaves everything as it was before, whenever a signal handler raises."""

import contextvars
import gc
import math
import signal
import time

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from movepages.query import readings
from movepages.query.readings import mappings_read_once
from support import policies

NODE = mp.topology().allowed_nodes[0]
# The name depends on numpy's version.
MULTIARRAY = (getattr(np, "_core", None) or np.core).multiarray


class InterruptionError(Exception):
    """Raised by nothing but the handler."""


def allocating():
    with mp.allocating(NODE):
        np.ones(3)


def allocating_as_a_decorator():
    mp.allocating(NODE)(np.ones)(3)


def first_touch():
    with mp.first_touch(NODE):
        np.ones(3)


def first_touch_as_a_decorator():
    mp.first_touch(NODE)(np.ones)(3)


def reading_mappings():
    with mappings_read_once():
        readings.mappings_within(0, 0, 1)


def state():
    return MULTIARRAY.get_handler_name(), readings._kept.get(), policies.of_thread()


def seconds_of(block):
    """Return how long a block takes. Other work of the machine makes it longer, never shorter."""
    shortest = math.inf
    for _ in range(10):
        start = time.perf_counter()
        for _ in range(10):
            block()
        shortest = min(shortest, (time.perf_counter() - start) / 10)
    return shortest


@pytest.mark.parametrize(
    "block",
    [
        allocating,
        allocating_as_a_decorator,
        first_touch,
        first_touch_as_a_decorator,
        reading_mappings,
    ],
)
def test_an_interrupt_leaves_nothing_changed(block, interruptions):
    armed, kept = False, None

    def interrupt(_signal, _frame):
        nonlocal armed
        # A signal that was late does not belong to this block.
        if armed:
            armed = False
            raise InterruptionError

    # Exceptions raised while cyclic garbage is collected get lost.
    gc.collect()
    gc.disable()
    outside = state()
    longest = 1.5 * seconds_of(block)
    moments = np.random.default_rng(0).random(interruptions) * longest + 1e-6
    heard = 0
    before = signal.signal(signal.SIGALRM, interrupt)
    # Callbacks that garbage collection runs lose what a handler raises in them.
    gc.disable()
    try:
        for moment in moments.tolist():
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, moment)
                # On a busy machine a signal comes late, and meets a later turn.
                while armed:
                    block()
            except InterruptionError as error:
                # Its traceback keeps alive the frames that it went through, and their objects.
                kept = error
                heard += 1
            assert state() == outside, f"after {heard} interrupts, {moment} s after the start"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
    assert kept is not None
    assert heard > interruptions // 10


@pytest.mark.parametrize(
    "make", [lambda: mp.allocating(NODE), lambda: mp.first_touch(NODE), mappings_read_once]
)
def test_context_dropped_without_an_exit_changes_nothing(make):
    outside = state()
    entered = make()
    entered.__enter__()
    assert state() != outside
    del entered
    assert state() == outside


def test_dropped_outer_context_leaves_the_inner_one_alone():
    def drop_the_outer_one():
        outer = mp.allocating(NODE)
        outer.__enter__()
        with mp.allocating(NODE):
            inside = state()
            del outer
            assert state() == inside

    outside = state()
    contextvars.copy_context().run(drop_the_outer_one)
    assert state() == outside


def test_a_block_is_entered_once():
    block = mp.allocating(NODE)
    with block, pytest.raises(RuntimeError, match="make another one"):
        block.__enter__()
    with pytest.raises(RuntimeError, match="make another one"):
        block.__enter__()
    block = mappings_read_once()
    with block, pytest.raises(RuntimeError, match="entered already"):
        block.__enter__()


def test_setting_needs_a_context_variable():
    with pytest.raises(TypeError, match="ContextVar, got a int"):
        _core.Setting(3, 4)
    with pytest.raises(TypeError, match="other arguments"):
        _core.Setting(3)
    with pytest.raises(TypeError, match="no keyword"):
        _core.Setting(3, value=4)
    variable = contextvars.ContextVar("variable")
    with _core.Setting(variable, 7):
        assert variable.get() == 7
    assert variable.get(None) is None
