"""The arguments that RetryPolicy accepts, and when its turns end."""

import errno

import numpy as np
import pytest

import movepages as mp
from movepages.migration.control import Control
from movepages.results.status import PageStatus
from support.clocks import clock_of

NODE = mp.topology().allowed_nodes[0]


@pytest.fixture
def clock(monkeypatch):
    return clock_of(monkeypatch, "movepages.migration.control")


@pytest.mark.parametrize("name", ["attempts", "backoff", "deadline"])
def test_retry_policy_rejects_nan(name):
    with pytest.raises(ValueError, match=f"RetryPolicy {name}: expected 0 or more, got nan"):
        mp.RetryPolicy(**{name: float("nan")})


@pytest.mark.parametrize("name", ["attempts", "backoff", "deadline"])
def test_retry_policy_rejects_what_is_no_number(name):
    with pytest.raises(TypeError, match=f"RetryPolicy {name}: expected a number, got '3'"):
        mp.RetryPolicy(**{name: "3"})


def test_move_rejects_a_nan_deadline():
    with pytest.raises(ValueError, match="deadline: expected seconds"):
        mp.move(np.ones(10), NODE, deadline=float("nan"))


@pytest.mark.parametrize(
    ("reasons", "error"),
    [(PageStatus.EBUSY, TypeError), ([errno.EBUSY], ValueError), ("EBUSY", ValueError)],
)
def test_invalid_reasons_are_rejected(reasons, error):
    with pytest.raises(error, match=r"reasons: expected a collection such as \[PageStatus"):
        mp.RetryPolicy(reasons=reasons)


def test_reasons_from_an_iterator_hold_for_all_turns():
    policy = mp.RetryPolicy(reasons=iter([-errno.EBUSY, PageStatus.EACCES]))
    assert policy.reasons == (PageStatus.EBUSY, PageStatus.EACCES)
    assert policy == mp.RetryPolicy(reasons=[PageStatus.EBUSY, PageStatus.EACCES])


def test_thousands_of_turns_without_a_wait():
    control = Control(1, mp.RetryPolicy(attempts=3000, backoff=0.0), None, None)
    turns = 0
    while control.waits_for_turn(turns + 1):
        turns += 1
    assert turns == 3000


def test_turns_count_towards_the_deadline(clock):
    control = Control(1, mp.RetryPolicy(attempts=1000, backoff=0, deadline=0.05), None, None)
    turns = 0
    while control.waits_for_turn(turns + 1):
        turns += 1
        clock.sleep(0.02)
        control.end_turn()
    assert turns == 3


def test_time_between_slices_does_not_count_towards_the_deadline(clock):
    control = Control(1, mp.RetryPolicy(backoff=0, deadline=0.05), None, None)
    assert control.waits_for_turn(1)
    control.end_turn()
    clock.sleep(0.06)
    assert control.waits_for_turn(1)
