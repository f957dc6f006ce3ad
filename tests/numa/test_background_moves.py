"""Background moves on real nodes: rate limit, cancellation, and threads that write meanwhile."""

import time

import numpy as np
import pytest

import movepages as mp
from support import memory, nodes, witness
from support.storm import adding_up

PAGE = memory.PAGE
MIB = 1 << 20


@pytest.fixture
def here_and_there(two_nodes):
    here, there, *_ = nodes.allowed()
    return here, there


def test_move_keeps_the_rate_limit_and_completes(here_and_there):
    here, there = here_and_there
    a = memory.anonymous(16 * MIB, here)
    start = time.monotonic()
    r = mp.move(a, there, limit="32MiB/s")
    assert time.monotonic() - start > 0.4
    assert (r.moved, r.ok) == (16 * MIB // PAGE, True)
    assert (witness.nodes_of(memory.pages_of(a)) == there).all()


def test_cancelled_move_reports_what_has_moved(here_and_there):
    here, there = here_and_there
    a = memory.anonymous(16 * MIB, here)
    # At this pace it would take 16 s: time enough to cancel it, even if the machine stands still.
    job = mp.move(a, there, limit="1MiB/s", background=True)
    while job.progress[0] == 0 and not job.done():
        time.sleep(0.005)
    assert job.cancel()
    error = job.exception(timeout=300)
    assert isinstance(error, mp.MovePagesCancelledError)
    found = witness.nodes_of(memory.pages_of(a))
    assert 0 < error.result.moved < len(found)
    assert np.count_nonzero(found == there) == error.result.moved


def test_threads_write_while_their_array_moves(here_and_there):
    here, there = here_and_there
    a = memory.anonymous(8 * MIB, here)
    numbers = a.view(np.int64)
    numbers[:] = 0
    with adding_up(numbers) as turns:
        for node in (there, here, there):
            r = mp.move(a, node, background=True, limit="64MiB/s").result(timeout=300)
            assert r.moved + r.already_there + r.failed == r.pages
    assert turns[0] > 0
    assert (numbers == turns[0]).all()
