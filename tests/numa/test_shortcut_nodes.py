"""where() on memory of several nodes, without a query for each page."""

import os

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from movepages.query import page_query, shortcuts
from support import memory, nodes, witness

PAGE = memory.PAGE
PAGES = 3000


@pytest.fixture(params=["frame numbers", "mappings"])
def road(request, monkeypatch):
    monkeypatch.setattr(page_query, "MANY_PAGES", 1)
    monkeypatch.setattr(page_query, "BY_NUMBER", 1)
    if request.param == "mappings":
        monkeypatch.setattr(_core, "shows_frame_numbers", lambda: False)
        monkeypatch.setattr(shortcuts, "resident_pages", lambda _pid: 0)


@pytest.mark.parametrize("layout", ["one", "blocks", "each other page", "a single page elsewhere"])
@pytest.mark.usefixtures("own_pid_as_another")
def test_every_page_is_where_the_witness_sees_it(two_nodes, need_root, road, layout):
    allowed = nodes.allowed()
    a = memory.anonymous(PAGES * PAGE, allowed[0])
    index = np.arange(PAGES)
    target = np.full(PAGES, allowed[-1])
    if layout == "blocks":
        target = np.array(allowed)[index * len(allowed) // PAGES]
    elif layout == "each other page":
        target = np.array(allowed)[index % len(allowed)]
    elif layout == "a single page elsewhere":
        target[1717] = allowed[0]
    assert mp.move(a, target.astype(np.int32)).ok
    assert np.array_equal(witness.nodes_of(memory.pages_of(a)), target)
    for pid in (0, os.getpid()):
        p = mp.where(mp.Region(a.ctypes.data, a.nbytes, pid))
        assert np.array_equal(p.status, target)
    memory.discard(a[: 9 * PAGE])
    assert np.array_equal(mp.where(a).status[9:], target[9:])
    assert mp.where(a).absent_pages == 9
