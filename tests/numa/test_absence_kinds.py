"""The reason reported for each absent kind of page, including kinds that only root can make."""

import mmap
import time

import numpy as np
import pytest

import movepages as mp
from movepages import Absence
from movepages.query import page_query
from support import memory, nodes
from support.kinds import MAKERS, CannotMakeError
from support.kinds_base import HIDES
from support.memory import PAGE, USER_END
from support.processes import PATIENCE_S
from support.swap import swap
from support.system import libc, succeed

MADV_PAGEOUT = 21
REASONS = {
    "hole": Absence.UNTOUCHED,
    "never touched": Absence.UNTOUCHED,
    "memfd hole": Absence.NOT_ENTERED,
    "zero page": Absence.ZERO_PAGE,
    "zero page not accessible": Absence.ZERO_PAGE,
    "vvar": Absence.DEVICE,
    "device memory": Absence.DEVICE,
    "not accessible": Absence.HIDDEN,
}


@pytest.mark.parametrize("fewest", [1, 32], ids=["by page tables", "asked"])
@pytest.mark.parametrize("name", [name for name in MAKERS if name != "guard region"])
def test_absence_reason_of_each_kind(two_nodes, need_root, monkeypatch, name, fewest):
    monkeypatch.setattr(page_query, "FEWEST_PAGES", fewest)
    try:
        with MAKERS[name](two_nodes[0]) as kind:
            pages = kind.pages[(kind.pages >= PAGE) & (kind.pages < USER_END)]
            for page in pages.tolist():
                p = mp.where(mp.Region(page, PAGE))
                if name == "no mapping":
                    assert p.absent_reasons == {Absence.UNMAPPED: 1}
                elif p.absent_pages:
                    assert p.absent_reasons == {REASONS[name]: 1}
                    assert kind.absent or HIDES
                else:
                    assert p.absent_reasons == {}
                    assert not kind.absent
    except CannotMakeError as error:
        pytest.skip(f"needs pages of the kind '{name}': {error}")


@pytest.fixture
def swapping(need_root):
    with swap():
        yield


def test_swapped_out(swapping):
    a = memory.anonymous(32 * PAGE)
    memory.bind(a, nodes.allowed()[0])
    memory.touch(a)
    out = a[8 * PAGE : 24 * PAGE]
    end = time.monotonic() + PATIENCE_S
    while True:
        succeed(libc.madvise(out.ctypes.data, out.nbytes, MADV_PAGEOUT))
        p = mp.where(a)
        if p.absent_pages == 16 or time.monotonic() > end:
            break
        time.sleep(0.1)
    assert p.absent_reasons == {Absence.SWAPPED: 16}
    assert p.absences["address"].tolist() == [out.ctypes.data]
    r = mp.move(a, nodes.allowed()[0])
    assert (r.failed, r.absent_reasons) == (16, {Absence.SWAPPED: 16})
    assert np.array_equal(a[:: mmap.PAGESIZE], np.arange(32))
    assert mp.where(a).absent_reasons == {}
