"""Odd arguments for Hypothesis to draw, and checks of results and refusals."""

import errno
import os
import re
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

import movepages as mp
from support import memory

PAGE = memory.PAGE
# Drawing an example takes long in an emulated guest, which is no fault of the test.
FUZZ = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
REFUSALS = (TypeError, ValueError, OverflowError)
# PID_MAX_LIMIT of Linux: no process has a pid this high.
NO_PID = 1 << 22

# One buffer for all arguments, so that they can overlap: addresses, nodes, statuses.
ADDRESSES_AT, NODES_AT, STATUS_AT, ARENA_BYTES = 0, 1024, 2048, 3072
FILL = 77

ODD = st.sampled_from([None, True, 1.5, np.float64(1), "0", b"0000", [], [None], {}, object(), 1j])
INTS = st.one_of(st.integers(-3, 8), st.integers(-(2**31), 2**31), st.integers(-(2**70), 2**70))
# No test moves pages of another process.
OWN_PID = st.one_of(
    st.sampled_from([0, 0, 0, os.getpid()]), st.integers(max_value=-1), st.integers(NO_PID), ODD
)
EDGES = st.sampled_from([0, 2**31, 2**32, 2**47, 2**63])
ADDRESS = st.one_of(
    st.integers(0, 2**64 - 1),
    st.builds(lambda edge, offset: (edge + offset) % 2**64, EDGES, st.integers(-PAGE, PAGE)),
)


def mostly(usual: Any, *others: Any) -> st.SearchStrategy:
    """Draw the usual value three times in four: many odd values at once would hide each other."""
    return st.sampled_from([usual] * 3 * len(others) + list(others))


class View(NamedTuple):
    """A view of bytes in the arena; a failing example prints it."""

    at: int
    dtype: str
    count: int
    step: int
    kind: str
    writeable: bool

    def of(self, arena: np.ndarray) -> np.ndarray:
        """Return the view as an array."""
        size = self.count * abs(self.step) * np.dtype(self.dtype).itemsize
        array = arena[self.at : self.at + size].view(self.dtype)[:: self.step]
        if self.kind == "column":
            array = array[:, None]
        elif self.kind == "scalar" and len(array):
            array = array[:1].reshape(())
        array.flags.writeable = self.writeable
        return array


def views(at: int, dtype: str) -> st.SearchStrategy[View]:
    """Return views that mostly begin at `at` and have the type `dtype`."""
    others = ["=u8", ">u8", "=i8", ">i4", "=u4", "=i2", "u1", "?", "=f8", "=M8[s]", "S3", "=i4,=u8"]
    places = [ADDRESSES_AT, NODES_AT, STATUS_AT]
    return st.builds(
        View,
        st.builds(int.__add__, mostly(at, *places), mostly(0, 1, 2, 4, 8)),
        mostly(dtype, *others),
        mostly(4, 0, 1, 3, 8),
        mostly(1, 2, -1),
        mostly("flat", "column", "scalar"),
        mostly(True, False),
    )


def fresh_arena(scratch: np.ndarray, nodes: set[int]) -> np.ndarray:
    """Return the arena, filled with addresses and nodes that are valid where they are aligned."""
    arena = np.full(ARENA_BYTES, FILL, np.uint8)
    addresses = arena[ADDRESSES_AT:NODES_AT].view(np.uintp)
    addresses[:] = np.resize(memory.pages_of(scratch), addresses.shape)
    targets = arena[NODES_AT:STATUS_AT].view(np.int32)
    targets[:] = np.resize(np.array(sorted(nodes), np.int32), targets.shape)
    return arena


def scratch_memory(pages: int) -> np.ndarray:
    """Return memory to move; its last page is absent."""
    array = memory.anonymous(pages * PAGE)
    memory.touch(array)
    memory.discard(array[-PAGE:])
    return array


def assert_intact(scratch: np.ndarray) -> None:
    """Check that nothing that `scratch_memory` wrote has changed."""
    touched = scratch[:-PAGE:PAGE]
    assert np.array_equal(touched, np.arange(len(touched)) % 251)


def assert_statuses(status: np.ndarray, count: int, usable: set[int]) -> None:
    """Check that each status is a possible node, or a status with a meaning."""
    assert (status.dtype, status.shape) == (np.int32, (count,))
    for each in status.tolist():
        assert each in usable if each >= 0 else mp.PageStatus(each).meaning


def assert_refused(error: Exception, *names: str) -> None:
    """Check that a refusal names the argument at fault."""
    assert re.search("|".join(rf"\b{name}\b" for name in names), str(error)), repr(error)


def assert_failed(error: mp.MovePagesError, count: int) -> None:
    """Check that a failed call says why, and what was done by then."""
    assert str(error).startswith(f"[Errno {error.errno}] {errno.errorcode[error.errno]}: ")
    assert error.result is None or error.result.pages == count
