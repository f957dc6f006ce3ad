"""Expand the runs of a survey into slices of single pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .._core import HUGE_PAGE_BYTES
from ..query.survey_runs import SurveyRuns
from ..results.status import PageStatus

Ints: TypeAlias = "npt.NDArray[np.int64]"


class PageBatch(NamedTuple):
    """Single pages in address order, with the runs between them that need no move.

    Attributes
    ----------
    address, before : ndarray
        Address and status of each page.
    number : ndarray of int64
        Index of each page among all pages of the footprint.
    aside : SurveyRuns
        Runs before or between these pages that need no move.
    aside_number : ndarray of int64
        Index of the first page of each of these runs.
    """

    address: npt.NDArray[np.uintp]
    before: npt.NDArray[np.int32]
    number: Ints
    aside: SurveyRuns
    aside_number: Ints


def without_memory(found: SurveyRuns) -> npt.NDArray[np.bool_]:
    """Return which runs are absent; hidden pages are present, on an unknown node."""
    absent: npt.NDArray[np.bool_] = (found.status < 0) & (found.status != PageStatus.ENODATA.value)
    return absent


def slices(
    found: SurveyRuns, aside: npt.NDArray[np.bool_], start: int, page_size: int, most: int
) -> Iterator[PageBatch]:
    """Expand runs into at most `most` pages at a time; keep the runs marked `aside` as runs.

    Each slice carries the runs set aside that lie before its last page. Runs behind the last page
    come in a final slice without pages. `start` is the index of the first page.
    """
    none = np.empty(0, np.uintp), np.empty(0, np.int32), np.empty(0, np.int64)
    if not aside.any():
        nothing = found.where(slice(0, 0))
        for each in each_page(found, start, page_size, most):
            yield PageBatch(*each, nothing, none[2])
        return
    number = np.cumsum(found.pages)
    number += start - found.pages
    if aside.all():
        yield PageBatch(*none, found, number)
        return
    kept, kept_number = found.where(aside), number[aside]
    done = 0
    for each in each_page(found.where(~aside), number[~aside], page_size, most):
        some = slice(done, int(np.searchsorted(kept.address, each[0][-1])))
        yield PageBatch(*each, kept.where(some), kept_number[some])
        done = some.stop
    if done < len(kept.address):
        yield PageBatch(*none, kept.where(slice(done, None)), kept_number[done:])


def each_page(
    runs: SurveyRuns, number: Ints | int, page_size: int, most: int
) -> Iterator[tuple[npt.NDArray[np.uintp], npt.NDArray[np.int32], Ints]]:
    """Expand runs into at most `most` pages at a time, with no huge page in two parts.

    Parameters
    ----------
    runs : SurveyRuns
    number : ndarray of int64, or int
        Page index at which each run starts. For gapless runs, that of the first run is enough.
    page_size, most : int

    Returns
    -------
    iterator of (address, status, number)
        Arrays with an element for each page.
    """
    ends = np.cumsum(runs.pages)
    total = int(ends[-1]) if len(ends) else 0
    # Within a run, (address of page i) - i * page_size is constant.
    origin = runs.address - (ends - runs.pages).astype(np.uintp) * np.uintp(page_size)
    shift = number if isinstance(number, int) else number - (ends - runs.pages)
    start = 0
    while start < total:
        stop = min(start + most, total)
        first, last = np.searchsorted(ends, (start, stop - 1), "right").tolist()
        edges = np.concatenate(([start], ends[first:last], [stop]))
        of_run, counts = slice(first, last + 1), np.diff(edges)
        # Allocating another array of this size costs more than the computation.
        address = np.arange(start, stop, dtype=np.uintp)
        address *= np.uintp(page_size)
        address += np.repeat(origin[of_run], counts)
        status = np.repeat(runs.status[of_run], counts)
        if isinstance(shift, int):
            place = np.arange(start + shift, stop + shift)
        else:
            place = np.repeat(shift[of_run], counts)
            place += np.arange(start, stop)
        if stop < total:
            after = origin[np.searchsorted(ends, stop, "right")] + np.uintp(stop * page_size)
            huge_page = after // np.uintp(HUGE_PAGE_BYTES) * np.uintp(HUGE_PAGE_BYTES)
            whole = int(np.searchsorted(address, huge_page))
            stop = start + (whole or len(address))
            here = slice(0, stop - start)
            address, status, place = address[here], status[here], place[here]
        yield address, status, place
        start = stop
