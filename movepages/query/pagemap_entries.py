"""Rows of few present pages before Linux 6.7, where the kernel does not scan page tables."""

from __future__ import annotations

import time
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .. import _core
from ..pages.arguments import Addresses
from ..results.status import PageStatus
from ..system.intervals import Intervals
from ..system.maps import Backing
from ..system.smaps import mappings_without_memory
from .survey_runs import SurveyRuns, join_survey_runs

# Seconds for which it is taken as known which mappings have no memory.
_YOUNG = 1.0

_NOTHING = _core.PRESENCE["nothing"]
_NO_EDGES = np.empty(0, np.uintp)


class Ask(Protocol):
    """Asks the kernel for each page of some rows."""

    def __call__(
        self, addresses: Addresses, pages: npt.NDArray[np.int64], *, fewest: int | None
    ) -> SurveyRuns:
        """Return what was found."""


class Entries:
    """Reads the entries of /proc/PID/pagemap, to ask for present pages alone.

    An entry takes less than a tenth of the time of a question. A large mapping that has no memory
    at all, which /proc/PID/smaps tells, is passed over.

    Parameters
    ----------
    pid, page_size : int
    ask : Ask
    """

    def __init__(self, pid: int, page_size: int, ask: Ask) -> None:
        self._pid, self._size, self._ask = pid, np.uintp(page_size), ask
        self._empty = Intervals(_NO_EDGES, _NO_EDGES)
        self._read_at = -_YOUNG

    def end_of_nothing(self, start: int) -> int:
        """Return where the mapping without memory ends that an address is in, or the address."""
        if time.monotonic() - self._read_at >= _YOUNG:
            self._empty = mappings_without_memory(self._pid)
            self._read_at = time.monotonic()
        edges = self._empty.edges
        place = int(np.searchsorted(edges, np.uintp(start), "right"))
        return int(edges[place]) if place % 2 else start

    def look(self, addresses: Addresses, pages: npt.NDArray[np.int64]) -> SurveyRuns:
        """Look at rows: holes are not attempted, and of kind "nothing"."""
        _, begin, end = self._empty.cut(addresses, addresses + pages.astype(np.uintp) * self._size)
        passed = self.passed(begin)
        told = _core.presence(begin[~passed], end[~passed], self._pid)
        if told is None:
            return self._ask(addresses, pages, fewest=None)
        hole = told[2] == _NOTHING
        asked = self._ask(told[0][~hole], self._pages(told[0], told[1])[~hole], fewest=None)
        first = np.concatenate((begin[passed], told[0][hole]))
        last = np.concatenate((end[passed], told[1][hole]))
        status = np.full(len(first), PageStatus.NOT_ATTEMPTED.value, np.int32)
        kind = np.full(len(first), _NOTHING, np.uint8)
        return join_survey_runs((asked, SurveyRuns(first, self._pages(first, last), status, kind)))

    def passed(self, begin: Addresses) -> npt.NDArray[np.bool_]:
        """Tell which addresses are in mappings that are passed over."""
        inside: npt.NDArray[np.bool_] = self._empty.at(begin) > 0
        return inside

    def status_of_holes(
        self, begin: Addresses, backing: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.int32]:
        """Return what the kernel says of holes that each lie in one mapping, or in none.

        All pages of a hole answer as its first does: EFAULT in anonymous memory, ENOENT elsewhere.
        """
        said = self._ask(begin, np.ones(len(begin), np.int64), fewest=None)
        status = said.status[np.searchsorted(said.address, begin, "right") - 1]
        anonymous = (backing == Backing.PRIVATE.value) | (backing == Backing.NOTHING.value)
        otherwise = np.where(anonymous, PageStatus.EFAULT.value, PageStatus.ENOENT.value)
        # The first may have got memory meanwhile.
        return np.where(status < 0, status, otherwise).astype(np.int32)

    def _pages(self, begin: Addresses, end: Addresses) -> npt.NDArray[np.int64]:
        return ((end - begin) // self._size).astype(np.int64)
