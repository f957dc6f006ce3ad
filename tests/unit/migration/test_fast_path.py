"""The shortcut for a small array in place reports the same as the full path, from one query."""

from dataclasses import replace

import numpy as np
import pytest

import movepages as mp
from movepages.migration import move
from movepages.migration.fast_path import placed_already
from support import memory

PAGE = memory.PAGE
NODE = mp.topology().allowed_nodes[0]


@pytest.fixture
def placed():
    a = memory.anonymous(80 * PAGE, NODE)
    assert (mp.mempolicy_nodes(memory.pages_of(a)) == NODE).all()
    return a


@pytest.mark.parametrize("pages", [1, 2, 17, 63, 64, 65, 80])
@pytest.mark.parametrize("odd", [0, 5])
def test_shortcut_agrees_with_the_full_path(monkeypatch, placed, pages, odd):
    a = placed[odd : pages * PAGE - odd]
    short = mp.move(a, NODE)
    monkeypatch.setattr(move, "placed_already", lambda *_args: None)
    long = mp.move(a, NODE)
    assert replace(short, seconds=0.0) == replace(long, seconds=0.0)
    assert short.already_there == pages
    assert np.array_equal(short.runs, long.runs)
    assert not short.runs.flags.writeable
    assert (short.status == NODE).all()


def test_shortcut_is_for_few_pages_only(placed):
    assert placed_already(placed[: 60 * PAGE], NODE, mp.MPOL_MF_MOVE).ok
    assert placed_already(placed, NODE, mp.MPOL_MF_MOVE) is None


@pytest.mark.parametrize(
    "what",
    [
        lambda a: a[: 2 * PAGE : 2],
        lambda a: a[:0],
        lambda a: np.ma.MaskedArray(a[:PAGE]),
        lambda a: memoryview(a[:PAGE]),
        lambda _: None,
    ],
)
def test_shortcut_leaves_other_objects_to_the_full_path(placed, what):
    assert placed_already(what(placed), NODE, mp.MPOL_MF_MOVE) is None


@pytest.mark.parametrize("node", [-1, 1023, 1024, 2**31, 2**80, True, np.int32(NODE), [NODE], None])
def test_shortcut_leaves_other_targets_to_the_full_path(placed, node):
    assert placed_already(placed[:PAGE], node, mp.MPOL_MF_MOVE) is None


def test_an_absent_page_is_no_page_in_place(placed):
    memory.discard(placed[PAGE : 2 * PAGE])
    assert placed_already(placed[: 3 * PAGE], NODE, mp.MPOL_MF_MOVE) is None
    result = mp.move(placed[: 3 * PAGE], NODE)
    assert (result.already_there, result.failed) == (2, 1)


@pytest.mark.parametrize("argument", ["on_conflict", "on_error", "retry", "limit", "deadline"])
def test_a_wrong_argument_is_refused_all_the_same(placed, argument):
    for a in (placed[:PAGE], placed):
        with pytest.raises((TypeError, ValueError)):
            mp.move(a, NODE, **{argument: "shrug"})


def test_progress_reaches_the_total(placed):
    seen = []
    mp.move(placed[:PAGE], NODE, progress=lambda done, pages: seen.append((done, pages)))
    assert seen[-1] == (1, 1)


def test_memory_at_the_end_of_all_addresses():
    class Last:
        def __init__(self):
            data = 2**64 - PAGE, False
            self.__array_interface__ = {"version": 3, "shape": (9,), "typestr": "|u1", "data": data}

    assert mp.move(np.asarray(Last()), NODE).failures == {mp.PageStatus.EFAULT: 1}
