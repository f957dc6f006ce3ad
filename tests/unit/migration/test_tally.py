"""The tally of a move keeps counts of slices, and not the slices."""

import numpy as np

from movepages.migration.slice_record import SliceCounts, counts_of_runs
from movepages.migration.tally import Tally
from movepages.pages.footprint import Footprint
from movepages.pages.runs import make_runs
from movepages.results.status import PageStatus
from support import memory

PAGE = memory.PAGE
TURNS, PAGES = 200, 64


def runs(first, pages):
    """Return one run of absent pages from a page number on."""
    address, absent = np.array([first * PAGE], np.uintp), PageStatus.ENOENT.value
    count = np.array([pages])
    return make_runs(address, count, count * PAGE, np.array([absent], np.int32))


def test_runs_set_aside_between_slices_keep_no_slice():
    tally, page = Tally(Footprint(PAGE, 2 * TURNS * PAGES * PAGE)), 1
    for _ in range(TURNS):
        addresses = np.arange(page, page + PAGES, dtype=np.uintp) * np.uintp(PAGE)
        part = tally.begin(addresses, np.zeros(PAGES, np.int32))
        part.record(np.ones(PAGES, np.int32), np.zeros(PAGES, bool))
        # As for several targets, the last slice stays open.
        tally.count_finished(keep=1)
        assert len(tally._parts) < 130
        assert sum(not isinstance(each, SliceCounts) for each in tally._parts) <= 2
        page += PAGES
        for pages in (5, 7):
            tally.add(counts_of_runs(runs(page, pages)))
            page += pages
    tally.count_finished()
    found = tally.result()
    assert found.moved == TURNS * PAGES
    assert found.failures == {PageStatus.ENOENT: TURNS * 12}
