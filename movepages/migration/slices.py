"""Slices of pages one by one, spread out from runs as they were found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .._core import HUGE_PAGE_BYTES
from ..query.survey_runs import SurveyRuns

Ints: TypeAlias = "npt.NDArray[np.int64]"


class PageBatch(NamedTuple):
    """Pages one by one, in address order.

    Attributes
    ----------
    address, before : ndarray
        Where each is, and what was said of it.
    number : ndarray of int64
        Which of all pages of the footprint each is.
    aside : SurveyRuns
        Runs before or between these pages that stay as they are.
    aside_number : ndarray of int64
        Which of all pages the first of each of these is.
    """

    address: npt.NDArray[np.uintp]
    before: npt.NDArray[np.int32]
    number: Ints
    aside: SurveyRuns
    aside_number: Ints


def slices(
    found: SurveyRuns, aside: npt.NDArray[np.bool_], start: int, page_size: int, most: int
) -> Iterator[PageBatch]:
    """Spread runs out, at most `most` pages at a time, but keep those to be set `aside` as runs.

    Each slice has the runs set aside that lie before its last page; what is left of them is a slice
    without pages. `start` is the number of the first page of all.
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
    """Spread runs out, at most `most` pages at a time and no huge page in two.

    Parameters
    ----------
    runs : SurveyRuns
    number : ndarray of int64, or int
        Which of all pages the first of each run is; of runs that leave none out, the first of all.
    page_size, most : int

    Returns
    -------
    iterator of (address, status, number)
        Arrays with an element for each page.
    """
    ends = np.cumsum(runs.pages)
    total = int(ends[-1]) if len(ends) else 0
    # Of page i of all that are spread out: the address, less i pages, is the same throughout a run.
    origin = runs.address - (ends - runs.pages).astype(np.uintp) * np.uintp(page_size)
    shift = number if isinstance(number, int) else number - (ends - runs.pages)
    start = 0
    while start < total:
        stop = min(start + most, total)
        first, last = np.searchsorted(ends, (start, stop - 1), "right").tolist()
        edges = np.concatenate(([start], ends[first:last], [stop]))
        of_run, counts = slice(first, last + 1), np.diff(edges)
        # Memory for each further array of this size costs more than what is computed in it.
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
            huge_page = address[-1] // np.uintp(HUGE_PAGE_BYTES) * np.uintp(HUGE_PAGE_BYTES)
            whole = int(np.searchsorted(address, huge_page))
            stop = start + (whole or len(address))
            here = slice(0, stop - start)
            address, status, place = address[here], status[here], place[here]
        yield address, status, place
        start = stop
