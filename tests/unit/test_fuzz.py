"""move_pages() with random odd arguments: a true answer, or a refusal that names the argument.

No call crashes, writes where it should not, or changes the contents of its pages.
"""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import movepages as mp
from fuzzing import (
    ADDRESS,
    ADDRESSES_AT,
    FUZZ,
    INTS,
    NODES_AT,
    ODD,
    OWN_PID,
    REFUSALS,
    STATUS_AT,
    View,
    assert_failed,
    assert_intact,
    assert_refused,
    assert_statuses,
    fresh_arena,
    scratch_memory,
    views,
)
from support import memory

PAGES = st.one_of(
    views(ADDRESSES_AT, "=u8"),
    views(ADDRESSES_AT, "=u8"),
    views(ADDRESSES_AT, "=u8"),
    st.lists(ADDRESS, max_size=5),
    st.lists(INTS | ODD, max_size=5),
    ODD,
)
NODES = st.one_of(
    views(NODES_AT, "=i4"), views(NODES_AT, "=i4"), INTS, ODD, st.lists(INTS, max_size=5)
)
STATUS = st.one_of(st.none(), views(STATUS_AT, "=i4"), views(STATUS_AT, "=i4"), ODD)
FLAGS = st.one_of(st.sampled_from([0, mp.MPOL_MF_MOVE]), st.just(mp.MPOL_MF_MOVE), INTS, ODD)
SHARED_TOO = (mp.MPOL_MF_MOVE_ALL, mp.MPOL_MF_MOVE_ALL | mp.MPOL_MF_MOVE)
SCRATCH_PAGES = 16
# Converted arguments are read from a copy, but a status in their place would overwrite them.
CONVERTED_PAGES = View(ADDRESSES_AT, "=u8", 4, 2, "flat", True)
CONVERTED_NODES = View(NODES_AT, "=i4", 4, 2, "flat", True)


@pytest.fixture(scope="module")
def scratch():
    return scratch_memory(SCRATCH_PAGES)


@pytest.fixture(scope="module")
def usable():
    return set(mp.topology().allowed_nodes)


def check_call(scratch, usable, *, pages, nodes, status, pid, flags):
    """Call move_pages() with views of one arena, and check all that it may do."""
    arena = fresh_arena(scratch, usable)
    before = arena.copy()
    pages, nodes, status = (
        each.of(arena) if isinstance(each, View) else each for each in (pages, nodes, status)
    )
    asked = [each.tobytes() for each in (pages, nodes) if isinstance(each, np.ndarray)]
    answer = None
    try:
        answer = mp.move_pages(pages, nodes, status, pid=pid, flags=flags)
    except mp.MovePagesError as error:
        assert_failed(error, len(pages))
        answer = error.status
    except REFUSALS as error:
        assert_refused(error, "pages", "nodes", "status", "pid", "flags")
    if answer is not None:
        assert status is None or answer is status
        assert_statuses(answer, len(pages), usable)
        if status is not None:
            start = status.ctypes.data - arena.ctypes.data
            before[start : start + status.nbytes] = arena[start : start + status.nbytes]
    assert arena.tobytes() == before.tobytes()
    assert asked == [each.tobytes() for each in (pages, nodes) if isinstance(each, np.ndarray)]
    assert_intact(scratch)


@FUZZ
@given(pages=PAGES, status=STATUS, pid=INTS | ODD, flags=FLAGS)
def test_query(scratch, usable, pages, status, pid, flags):
    check_call(scratch, usable, pages=pages, nodes=None, status=status, pid=pid, flags=flags)


@FUZZ
@given(pages=PAGES, status=STATUS)
@example(pages=CONVERTED_PAGES, status=CONVERTED_PAGES._replace(dtype="=i4", step=1))
def test_query_of_this_process(scratch, usable, pages, status):
    check_call(
        scratch, usable, pages=pages, nodes=None, status=status, pid=0, flags=mp.MPOL_MF_MOVE
    )


@FUZZ
@given(pages=PAGES, nodes=NODES, status=STATUS, pid=OWN_PID, flags=FLAGS)
def test_move(scratch, usable, pages, nodes, status, pid, flags):
    if flags in SHARED_TOO:
        # Pages that other processes map as well, such as those of a library, must stay there.
        pages = memory.pages_of(scratch)
    check_call(scratch, usable, pages=pages, nodes=nodes, status=status, pid=pid, flags=flags)


@FUZZ
@given(nodes=NODES, status=STATUS, flags=st.sampled_from(SHARED_TOO) | FLAGS)
@example(nodes=CONVERTED_NODES, status=CONVERTED_NODES._replace(step=1), flags=1)
def test_move_of_own_memory(scratch, usable, nodes, status, flags):
    pages = memory.pages_of(scratch)[-4:]
    check_call(scratch, usable, pages=pages, nodes=nodes, status=status, pid=0, flags=flags)


@FUZZ
@given(pages=PAGES)
def test_mempolicy_nodes(scratch, usable, pages):
    arena = fresh_arena(scratch, usable)
    before = arena.tobytes()
    pages = pages.of(arena) if isinstance(pages, View) else pages
    try:
        assert_statuses(mp.mempolicy_nodes(pages), len(pages), usable)
    except REFUSALS as error:
        assert_refused(error, "pages")
    assert arena.tobytes() == before
    assert_intact(scratch)


@FUZZ
@given(value=INTS | ODD | st.integers(-5000, 0))
def test_page_status(value):
    for number in [value, np.int32(value)] if type(value) is int and -5000 < value < 0 else [value]:
        try:
            status = mp.PageStatus(number)
        except ValueError as error:
            assert_refused(error, "PageStatus")
            assert type(value) is not int or not -4096 < value < 0
        else:
            assert status == value
            assert min(len(status.name), len(status.meaning), len(status.remedy)) > 0


def test_arena_allows_valid_calls(scratch, usable):
    """Not every example is refused: the call that all examples vary succeeds."""
    arena = fresh_arena(scratch, usable)
    pages, nodes, status = (
        View(at, dtype, 4, 1, "flat", True).of(arena)
        for at, dtype in ((ADDRESSES_AT, "=u8"), (NODES_AT, "=i4"), (STATUS_AT, "=i4"))
    )
    assert set(mp.move_pages(pages, nodes, status).tolist()) <= usable
