"""Errors that end a move early: kept as values, and raised once its outcome is known."""

import errno
from types import SimpleNamespace

import pytest

from movepages.migration.executor import _Move
from movepages.pages.footprint import Footprint
from movepages.results.failure import Failure
from movepages.results.outcome import MovePagesCancelledError, make_error


class StoppedError(MovePagesCancelledError):
    """An exception of the caller's own, with a constructor of its own."""

    def __init__(self, why):
        super().__init__(f"stopped: {why}")


def caught(raised):
    try:
        raise raised
    except MovePagesCancelledError as error:
        return Failure.of(error)


def test_error_of_the_caller_is_kept_as_it_is():
    mine = StoppedError("enough")
    failure = caught(mine)
    assert failure.error is mine
    assert str(failure.error) == "stopped: enough"
    assert failure.error.__traceback__ is None


@pytest.mark.parametrize(
    ("code", "nodes", "goes_on"),
    [
        (errno.ENOMEM, [0, 1], True),
        # A target for each page that names one node alone, which is full.
        (errno.ENOMEM, [1], False),
        (errno.EACCES, [0, 1], False),
    ],
)
def test_move_goes_on_if_other_nodes_may_have_room(code, nodes, goes_on):
    target = SimpleNamespace(distinct=nodes, only=None)
    move = _Move(Footprint(4096, 4096), target, 2, None, None, "majority")
    assert move._goes_on(Failure.of(make_error(code, "no"))) is goes_on
