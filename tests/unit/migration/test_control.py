"""Deadline, progress, cancellation, warnings and retries of move()."""

import errno
import time
import warnings

import numpy as np
import pytest

import movepages as mp
from movepages._core import HUGE_PAGE_BYTES
from movepages.migration import executor, recheck, sizes, slice_migration
from movepages.migration.control import Control
from movepages.query import page_query
from movepages.query.survey_runs import SurveyRuns
from movepages.results.outcome import make_error
from support import memory
from support.clocks import clock_of
from support.processes import PATIENCE_S

PAGES = 2_000_000


@pytest.fixture
def node():
    return mp.topology().allowed_nodes[0]


@pytest.fixture
def nothing(monkeypatch):
    """Return a region of many absent pages, which move() handles in many blocks."""
    monkeypatch.setattr(sizes, "MOVE_PAGES", 1 << 16)
    monkeypatch.setattr(page_query, "_SPARSE", 0)
    return mp.Region(memory.UNMAPPED, PAGES * memory.PAGE)


def test_progress_counts_up_to_the_total(node, nothing):
    seen = []
    mp.move(nothing, node, progress=lambda done, total: seen.append((done, total)))
    done = [each for each, _ in seen]
    assert len(seen) > 10
    assert done == sorted(done)
    assert seen[-1] == (PAGES, PAGES)
    assert {total for _, total in seen} == {PAGES}


def test_false_from_the_callback_cancels(node, nothing):
    with pytest.raises(mp.MovePagesCancelledError, match="returned False") as caught:
        mp.move(nothing, node, progress=lambda done, _total: done < PAGES / 2)
    r = caught.value.result
    assert caught.value.errno == errno.ECANCELED
    assert PAGES / 2 <= r.failed < PAGES
    assert r.failed + r.not_attempted == PAGES


def test_exception_of_the_callback_carries_the_result(node, nothing):
    def fail(done, _total):
        if done:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine") as caught:
        mp.move(nothing, node, progress=fail)
    assert 0 < caught.value.result.failed < PAGES


def test_a_deadline_ends_it(node, nothing):
    start = time.monotonic()
    with pytest.raises(TimeoutError) as caught:
        mp.move(nothing, node, deadline=0.0)
    assert isinstance(caught.value, mp.MovePagesTimeoutError)
    assert time.monotonic() - start < PATIENCE_S
    assert caught.value.result.not_attempted > 0


def test_move_within_its_deadline_succeeds(node):
    assert mp.move(np.ones(10_000), node, deadline=PATIENCE_S).ok


def test_a_warning_in_place_of_an_error(node, nothing):
    with pytest.warns(mp.MovePagesWarning, match="node 999 is not a node of this"):
        r = mp.move(np.ones(10), 999, on_error="warn")
    assert r.not_attempted == r.pages
    with pytest.warns(mp.MovePagesWarning, match="deadline of 0"):
        r = mp.move(nothing, node, deadline=0, on_error="warn")
    assert r.not_attempted > 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mp.move(np.ones(10), node, on_error="warn").ok


def test_a_warning_that_is_raised_has_the_result(node, nothing):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(mp.MovePagesWarning) as caught:
            mp.move(np.ones(10), 999, on_error="warn")
        assert caught.value.result.not_attempted == caught.value.result.pages > 0
        with pytest.raises(mp.MovePagesWarning) as caught:
            mp.move(nothing, node, deadline=0, on_error="warn")
        assert caught.value.result.not_attempted > 0
        job = mp.move(nothing, node, deadline=0, on_error="warn", background=True)
        assert job.exception().result.not_attempted > 0


def test_a_warning_points_to_the_caller(node):
    with pytest.warns(mp.MovePagesWarning) as caught:
        mp.move(np.ones(10), 999, on_error="warn")
    assert caught[0].filename == __file__


@pytest.mark.parametrize("name", ["on_error", "on_conflict"])
def test_invalid_choice_is_rejected(node, name):
    with pytest.raises(ValueError, match=f"{name}: expected one of .*'raise'.*, got 'ignore'"):
        mp.move(np.ones(10), node, **{name: "ignore"})


@pytest.mark.parametrize("deadline", [float("nan"), "soon", [1], 10**400])
def test_invalid_deadline_is_rejected(node, nothing, deadline):
    with pytest.raises(ValueError, match="deadline: expected seconds or None, got"):
        mp.move(nothing, node, deadline=deadline)


@pytest.mark.parametrize("name", ["backoff", "deadline"])
def test_retry_policy_rejects_nan(name):
    with pytest.raises(ValueError, match=f"RetryPolicy {name}: expected 0 or more, got nan"):
        mp.RetryPolicy(**{name: float("nan")})


@pytest.mark.parametrize("name", ["attempts", "backoff", "deadline"])
def test_retry_policy_rejects_negative_numbers(name):
    with pytest.raises(ValueError, match=f"RetryPolicy {name}: expected 0 or more, got -1"):
        mp.RetryPolicy(**{name: -1})


class TestRetry:
    """Retries need no real kernel: here page k is busy for the first k % 4 turns."""

    @pytest.fixture
    def turns(self, monkeypatch):
        seen = []

        def survey(addresses, pages, **_):
            return None, SurveyRuns(
                addresses, pages, np.zeros(len(pages), np.int32), np.ones(len(pages), np.uint8)
            )

        def turn(pages, nodes, status, **_):
            busy = pages // memory.PAGE % 4 > len(seen)
            status[:] = np.where(busy, mp.PageStatus.EBUSY, nodes)
            seen.append(len(pages))

        monkeypatch.setattr(page_query, "survey_rows", survey)
        monkeypatch.setattr(slice_migration, "move_in_slices", turn)
        monkeypatch.setattr(executor, "refuse_unusable_nodes", lambda *_: None)
        return seen

    def region(self):
        # Within one slice, because each slice has turns of its own.
        return mp.Region(HUGE_PAGE_BYTES, 400 * memory.PAGE)

    @pytest.mark.parametrize(("attempts", "failed"), [(0, 300), (1, 200), (2, 100), (3, 0), (9, 0)])
    def test_only_busy_pages_are_retried(self, turns, attempts, failed):
        policy = mp.RetryPolicy(attempts=attempts, backoff=0, deadline=PATIENCE_S)
        r = mp.move(self.region(), 1, retry=policy)
        assert (r.moved, r.failed, r.pages) == (400 - failed, failed, 400)
        assert turns == [400, 300, 200, 100][: attempts + 1]
        assert r.rounds == len(turns)

    def test_other_reasons_on_request(self, turns):
        policy = mp.RetryPolicy(reasons=[mp.PageStatus.EACCES], backoff=0)
        assert mp.move(self.region(), 1, retry=policy).failed == 300
        assert turns == [400]

    @pytest.mark.usefixtures("turns")
    def test_backoff_doubles_until_the_deadline(self, monkeypatch):
        clock = clock_of(monkeypatch, "movepages.migration.control")
        policy = mp.RetryPolicy(attempts=9, backoff=0.1, deadline=0.35)
        r = mp.move(self.region(), 1, retry=policy)
        assert clock.sleeps == [0.1, 0.2]
        assert (r.rounds, r.failed) == (3, 100)

    def test_deadline_of_the_move_holds_between_turns_too(self):
        control = Control(1, mp.RetryPolicy(backoff=0), deadline=0.0, progress=None)
        time.sleep(0.001)
        with pytest.raises(TimeoutError):
            control.waits_for_turn(1)


def test_process_that_dies_before_the_last_query_is_an_error(monkeypatch):
    """Pages in place are queried again after the others have moved; then the process is gone."""
    pages = 400

    def survey(addresses, rows, **_):
        zero = np.zeros(len(rows), np.int32)
        return None, SurveyRuns(addresses, rows, zero, np.ones(len(rows), np.uint8))

    def turn(_pages, nodes, status, **_):
        status[:] = nodes

    def gone(*_, **__):
        raise make_error(errno.ESRCH, "gone")

    monkeypatch.setattr(page_query, "survey_rows", survey)
    monkeypatch.setattr(slice_migration, "move_in_slices", turn)
    monkeypatch.setattr(recheck, "move_pages", gone)
    monkeypatch.setattr(executor, "refuse_unusable_nodes", lambda *_: None)
    target = np.arange(pages) % 2
    with pytest.raises(ProcessLookupError) as caught:
        mp.move(mp.Region(HUGE_PAGE_BYTES, pages * memory.PAGE), target)
    result = caught.value.result
    assert (result.not_attempted, result.already_there, result.moved) == (200, 0, 200)
