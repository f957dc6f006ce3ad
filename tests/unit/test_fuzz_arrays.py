"""where(), move() and Region with random odd arguments."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import movepages as mp
from fuzzing import (
    ADDRESS,
    FUZZ,
    INTS,
    NO_PID,
    ODD,
    OWN_PID,
    PAGE,
    REFUSALS,
    assert_failed,
    assert_intact,
    assert_refused,
    assert_statuses,
    mostly,
    scratch_memory,
)

# Thousands of arrays take minutes under emulation; guests run test_fuzz.py instead.
pytestmark = pytest.mark.host

SCRATCH_PAGES = 32
MOST_PAGES = 64


class Strided(NamedTuple):
    """An array over the scratch memory, with any strides; a failing example prints this."""

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    start: int
    writeable: bool

    def of(self, scratch: np.ndarray) -> np.ndarray:
        steps = [s * (n - 1) for n, s in zip(self.shape, self.strides, strict=True) if n]
        first = self.start - sum(step for step in steps if step < 0)
        array = np.ndarray(self.shape, self.dtype, scratch.data, first, self.strides)
        array.flags.writeable = self.writeable
        return array


STRIDES = st.sampled_from([0, 1, -1, 3, 8, -8, 64, -100, PAGE - 1, PAGE, -PAGE, PAGE + 1, 2 * PAGE])
AXES = st.lists(st.tuples(mostly(3, 0, 1, 4), STRIDES), max_size=3)


@st.composite
def strided(draw):
    axes = draw(AXES)
    return Strided(
        draw(mostly("u1", ">f8", "=i2", "V0", "V7", "S0", "=M8[s]", "=c16", "=i4,=u8")),
        tuple(count for count, _ in axes),
        tuple(stride for _, stride in axes),
        draw(mostly(0, 1, PAGE - 1, PAGE, 7 * PAGE + 5)),
        draw(mostly(True, False)),
    )


class PerPage(NamedTuple):
    """Targets for as many pages as there are, or for one too few or too many."""

    off_by: int
    node: int
    dtype: str


TARGETS: st.SearchStrategy[Any] = st.one_of(
    st.just(0),
    st.builds(PerPage, mostly(0, -1, 1), mostly(0, 1023, -1, 2**31), mostly("=i8", ">i8", "=f8")),
    INTS,
    ODD,
)
FLAGS = st.one_of(st.sampled_from([2, 2, 4, 6]), INTS, ODD)


@pytest.fixture(scope="module")
def scratch():
    return scratch_memory(SCRATCH_PAGES)


@pytest.fixture(scope="module")
def usable():
    return set(mp.topology().allowed_nodes)


def check_placement(placement, usable):
    assert_statuses(placement.status, placement.pages, usable)
    assert len(placement.addresses) == placement.pages
    assert sum(placement.bytes_per_node.values()) + placement.absent_bytes == placement.nbytes
    assert sum(placement.pages_per_node.values()) + placement.absent_pages == placement.pages
    assert str(placement)


def check_move(what, target, flags, usable):
    pages = mp.where(what).pages
    if isinstance(target, PerPage):
        target = np.full(max(0, pages + target.off_by), target.node, target.dtype)
    before = target.tobytes() if isinstance(target, np.ndarray) else None
    try:
        result = mp.move(what, target, flags=flags)
    except mp.MovePagesError as error:
        assert_failed(error, pages)
        result = error.result
    except REFUSALS as error:
        assert_refused(error, "target", "flags")
    else:
        assert result.moved + result.already_there + result.failed + result.not_attempted == pages
        assert_statuses(result.status, pages, usable)
    assert before is None or target.tobytes() == before


@FUZZ
@given(spec=strided(), target=TARGETS, flags=FLAGS)
def test_arrays(scratch, usable, spec, target, flags):
    array = spec.of(scratch)
    try:
        check_placement(mp.where(array), usable)
    except REFUSALS as error:
        assert_refused(error, "stride")
    else:
        check_move(array, target, flags, usable)
    assert_intact(scratch)


@FUZZ
@given(what=INTS | ODD | st.lists(INTS) | st.builds(np.int64, st.integers(0, 9)))
def test_objects_without_memory(what):
    for ask in (mp.where, lambda each: mp.move(each, 0)):
        try:
            placement = ask(what)
        except TypeError as error:
            assert_refused(error, type(what).__name__)
        else:
            # An empty container has no bytes, which is an answer.
            assert isinstance(what, bytes) or len(what) == 0, placement


@FUZZ
@given(
    address=ADDRESS | INTS | ODD,
    nbytes=st.integers(0, MOST_PAGES * PAGE) | INTS | ODD,
    pid=OWN_PID,
    target=TARGETS,
    flags=FLAGS,
)
def test_regions(usable, address, nbytes, pid, target, flags):
    try:
        region = mp.Region(address, nbytes, pid)
    except REFUSALS as error:
        assert_refused(error, "Region")
        return
    assert (region.address, region.nbytes, region.pid) == (address, nbytes, pid)
    if region.nbytes > MOST_PAGES * PAGE:
        return
    try:
        check_placement(mp.where(region), usable)
    except mp.MovePagesError as error:
        if region.pid < NO_PID:
            raise
        assert_failed(error, -(-(address % PAGE + nbytes) // PAGE) if nbytes else 0)
    else:
        # Pages that other processes map as well, such as those of a library, must stay there.
        check_move(region, target, flags if flags not in (4, 6) else 2, usable)


@FUZZ
@given(allowed=st.lists(INTS | ODD) | ODD | INTS)
def test_topology_of_odd_nodes(allowed):
    try:
        nodes = mp.topology(allowed=allowed).allowed_nodes
    except REFUSALS as error:
        assert_refused(error, "allowed")
    else:
        assert allowed is None or set(nodes) <= set(allowed)
