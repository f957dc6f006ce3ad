"""Reports on each kind of page, compared with the page tables and get_mempolicy(2)."""

import os

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from movepages.query import page_query, shortcuts
from support import kinds_frames, nodes, witness
from support.kinds import MAKERS, MOVE, MOVE_ALL, CannotMakeError
from support.kinds_base import by_policy
from support.kinds_judge import NOT_ATTEMPTED, Judge
from support.memory import PAGE, USER_END

# No kernel of the lab has guard regions yet; the campaign makes them where it can.
KINDS = [name for name in MAKERS if name != "guard region"]


@pytest.fixture
def here_and_there(two_nodes, need_root):
    here, there, *_ = nodes.allowed()
    return here, there


@pytest.fixture(params=KINDS)
def judge(request, here_and_there):
    """Yield a judge of pages of one kind, which start on the first node."""
    try:
        with MAKERS[request.param](here_and_there[0]) as kind:
            judge = Judge([kind])
            yield judge
            judge.close()
            assert kind.unchanged()
    except CannotMakeError as error:
        pytest.skip(f"needs pages of the kind '{request.param}': {error}")


def stretches(pages):
    """Split addresses into runs of neighbours that a Region can name."""
    pages = pages[(pages >= PAGE) & (pages < USER_END)]
    if not len(pages):
        return []
    return np.split(pages, np.flatnonzero(np.diff(pages) != PAGE) + 1)


def region(row):
    return mp.Region(int(row[0]), len(row) * PAGE)


@pytest.fixture(params=["asked", "by page tables", "by frame numbers", "by mappings"])
def road(request, monkeypatch):
    """Make where() find nodes in one particular way, however few the pages."""
    if request.param == "asked":
        return
    monkeypatch.setattr(page_query, "FEWEST_PAGES", 1)
    if request.param != "by page tables":
        monkeypatch.setattr(page_query, "MANY_PAGES", 1)
        monkeypatch.setattr(page_query, "BY_NUMBER", 1)
    if request.param == "by mappings":
        monkeypatch.setattr(_core, "shows_frame_numbers", lambda: False)
        monkeypatch.setattr(shortcuts, "resident_pages", lambda _pid: 0)


@pytest.mark.usefixtures("own_pid_as_another")
def test_query_reports_where_each_kind_is(judge, road):
    every = np.arange(len(judge.pages))
    before = judge.look()
    for pid in (0, os.getpid()):
        # Any byte of a page stands for it.
        status = mp.move_pages(judge.pages + every.astype(np.uintp) % PAGE, pid=pid)
        wrong = judge.of_query(every, status, judge.look())
        assert not wrong.any(), judge.describe(wrong, every, status, None, before, before)
    for row in stretches(judge.pages):
        p = mp.where(region(row))
        asked = np.flatnonzero(np.isin(judge.pages, row))
        assert not judge.of_query(asked, p.status, judge.look()).any(), p
        assert p.absent_bytes + p.hidden_bytes + sum(p.bytes_per_node.values()) == p.nbytes
        assert p.absent_bytes + p.hidden_bytes == PAGE * np.count_nonzero(p.status < 0)
        assert not p.hidden_bytes or by_policy()
    assert not judge.bystanders(every[:0], before, judge.look()).any()


@pytest.mark.parametrize("flags", [MOVE, MOVE_ALL], ids=["MOVE", "MOVE_ALL"])
def test_move_pages_reports_each_page_truly(judge, here_and_there, flags):
    every = np.arange(len(judge.pages))
    for node in here_and_there[::-1]:
        before = judge.look()
        target = np.full(len(every), node, np.int32)
        status = mp.move_pages(judge.pages, node, flags=flags)
        now = judge.look()
        wrong = judge.of_move(every, status, target, flags, before, now)
        assert not wrong.any(), judge.describe(wrong, every, status, target, before, now)
        assert not judge.bystanders(every, before, now).any()


@pytest.mark.parametrize("fewest", [1, 32], ids=["by page tables", "asked"])
def test_move_counts_each_page_truly(judge, here_and_there, monkeypatch, fewest):
    monkeypatch.setattr(page_query, "FEWEST_PAGES", fewest)
    node = here_and_there[1]
    for row in stretches(judge.pages):
        asked = np.flatnonzero(np.isin(judge.pages, row))
        target = np.full(len(row), node, np.int32)
        before = judge.look()
        r = mp.move(region(row), node)
        now = judge.look()
        wrong = judge.of_move(asked, r.status, target, MOVE, before, now)
        assert not wrong.any(), judge.describe(wrong, asked, r.status, target, before, now)
        placed = r.status == node
        assert r.already_there == np.count_nonzero(placed & (before[1][asked] == node))
        assert r.moved == np.count_nonzero(placed) - r.already_there
        assert sum(r.failures.values()) == r.failed == np.count_nonzero(~placed)
        assert (r.not_attempted, r.pages) == (0, len(row))
        assert NOT_ATTEMPTED not in r.status


def test_the_two_witnesses_agree(here_and_there):
    for node in here_and_there:
        with MAKERS["ordinary"](node) as kind:
            assert (witness.nodes_of(kind.pages) == node).all()
            assert (kinds_frames.nodes_of(kind.pages) == node).all()
            assert witness.pages_per_node(kind.data) == {node: len(kind.pages)}
