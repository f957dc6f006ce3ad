"""The number of threads that a move takes."""

import numpy as np
import pytest

import movepages as mp
from movepages.migration import slice_migration
from movepages.migration.control import Control
from movepages.query import page_query
from movepages.query.survey_runs import SurveyRuns
from movepages.system import threads
from support import memory
from support.processes import PATIENCE_S

PAGE = memory.PAGE
MIB = 1 << 20
NODE = mp.topology().allowed_nodes[0]


@pytest.fixture
def taken(monkeypatch):
    """Pretend that all memory is on another node; return the threads and pages of each call."""
    calls = []

    def survey(addresses, pages, **_):
        other = np.full(len(pages), NODE + 1, np.int32)
        return None, SurveyRuns(addresses, pages, other, np.ones(len(pages), np.uint8))

    def move(pages, nodes, status, *, threads, **_):
        calls.append((threads, len(pages)))
        status[:] = nodes

    monkeypatch.setattr(page_query, "survey_rows", survey)
    monkeypatch.setattr(slice_migration, "move_in_slices", move)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _pid: range(6))
    return calls


@pytest.mark.parametrize(
    ("mebibytes", "expected"), [(1, 1), (31, 1), (32, 2), (60, 3), (100, 6), (200, 6)]
)
def test_the_default_grows_with_the_size_up_to_the_cpus(taken, mebibytes, expected):
    a = memory.anonymous(mebibytes * MIB)
    r = mp.move(a, NODE)
    assert r.moved == a.nbytes // PAGE
    assert taken == [(expected, a.nbytes // PAGE)]


def test_a_large_move_takes_its_threads_slice_by_slice(taken):
    a = memory.anonymous(1040 * MIB)
    mp.move(a, NODE)
    assert sum(pages for _, pages in taken) == a.nbytes // PAGE
    assert [count for count, _ in taken] == [6, 6, 1]


@pytest.mark.parametrize("wanted", [1, 2, np.int64(40)])
def test_a_number_is_taken_as_it_is(taken, wanted):
    mp.move(memory.anonymous(2560 * PAGE), NODE, threads=wanted)
    assert [count for count, _ in taken] == [wanted]


def test_a_few_pages_take_fewer(taken):
    for pages in (1, 127, 128, 640):
        mp.move(memory.anonymous(pages * PAGE), NODE, threads=8)
    assert taken == [(1, 1), (1, 127), (2, 128), (8, 640)]


def test_a_move_in_the_background_and_a_plan_take_them_too(taken):
    a = memory.anonymous(40 * MIB)
    mp.move(a, NODE, background=True).result(PATIENCE_S)
    mp.move(a, NODE, background=True, threads=5).result(PATIENCE_S)
    mp.plan(a, NODE).execute(threads=3)
    assert [count for count, _ in taken] == [2, 5, 3]


def test_a_limit_makes_slices_that_need_one_thread(taken):
    mp.move(memory.anonymous(40 * MIB), NODE, limit="200MiB/s")
    assert {count for count, _ in taken} == {1}


@pytest.mark.parametrize(
    ("threads", "error", "told"),
    [
        (0, ValueError, "threads: expected a whole number from 1, got 0"),
        (-3, ValueError, "threads: expected a whole number from 1, got -3"),
        (1.5, TypeError, "threads: expected a whole number from 1, got 1.5"),
        ("2", TypeError, "threads: expected a whole number from 1, got '2'"),
    ],
)
@pytest.mark.parametrize("background", [False, True])
def test_other_values_are_refused(threads, error, told, background):
    with pytest.raises(error, match=told):
        mp.move(np.ones(10), NODE, threads=threads, background=background)


def test_threads_of_a_control():
    assert Control(1, mp.RetryPolicy(), None, None).threads_for(1) == 1
    assert Control(1, mp.RetryPolicy(), None, None, threads=7).threads_for(1 << 20) == 7
