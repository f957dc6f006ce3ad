"""Pages that kernels before 6.6 hide, tested as far as other kernels can show it."""

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from movepages.display.views import off_nodes
from movepages.pages.runs import RUN_DTYPE
from movepages.query import hidden_pages, page_query
from movepages.query.absence_reasons import absences, hidden_afterwards
from movepages.query.readings import mappings_read_once
from movepages.query.survey_runs import SurveyRuns
from movepages.results.absence import Absence
from movepages.system import numa_maps
from movepages.system.presence import Presence
from movepages.units import format_bytes
from support import memory

PAGE = memory.PAGE
HIDDEN = mp.PageStatus.ENODATA.value
NODE = mp.topology().allowed_nodes[0]
# From this address on, pages are not the process's own.
SHARED = 0x28000
MAPS = b"""\
00010000-00020000 ---p 00000000 00:00 0
00020000-00030000 ---p 00000000 00:00 0
00030000-00040000 ---p 00000000 00:00 0
00040000-00050000 ---s 00000000 00:01 7 /memfd:x
00050000-00060000 rw-s 00000000 00:05 6 /dev/nvidia0
"""
NUMA_MAPS = b"""\
00010000 default anon=16 dirty=16 N0=8 N1=8 kernelpagesize_kB=4
00020000 default anon=8 dirty=8 N3=8 kernelpagesize_kB=4
00030000 default
00040000 default file=/memfd:x dirty=16 N2=16 kernelpagesize_kB=4
00050000 default N1=16 kernelpagesize_kB=4
""".replace(b"kB=4", b"kB=%d" % (PAGE // 1024))


@pytest.fixture
def one_process(monkeypatch):
    """Return a list of the process's files that were read, such as numa_maps."""
    read = []

    def told(_pid, name):
        read.append(name)
        return {"maps": MAPS, "numa_maps": NUMA_MAPS}[name]

    monkeypatch.setattr(numa_maps, "read_if_told", told)
    monkeypatch.setattr("movepages.system.maps.read_if_told", told)
    monkeypatch.setattr(_core, "presence", presence)
    return read


def presence(starts, ends, _pid):
    """Cut ranges in two: pages of the process's own, and pages that are shared or of zeros."""
    edges = [(start, ends[i]) for i, start in enumerate(starts)]
    cut = [each for a, b in edges for each in ((a, min(b, SHARED), 0), (max(a, SHARED), b, 1))]
    cut = [each for each in cut if each[0] < each[1]]
    kinds = [(Presence.OWN_PAGE, Presence.PAGE_OR_ZERO)[which] for _, _, which in cut]
    first, last = (np.array([each[k] for each in cut], np.uintp) for k in (0, 1))
    return first, last, np.array(kinds, np.uint8)


def runs_of(*runs):
    address, pages, status = (np.array(column) for column in zip(*runs, strict=True))
    kind = np.full(len(runs), 1, np.uint8)
    return SurveyRuns(address.astype(np.uintp), pages, status.astype(np.int32), kind)


def told(found, pid=7):
    found = hidden_pages.give_nodes_of_mappings(found, pid, 0x1000)
    return [tuple(map(int, row)) for row in zip(*found[:3], strict=True)]


def test_mapping_on_one_node_gives_the_node_of_its_hidden_pages(one_process):
    found = runs_of((0x10000, 64, HIDDEN), (0x50000, 16, HIDDEN), (0x90000, 1, -2))
    assert told(found) == [
        (0x10000, 16, HIDDEN),
        (0x20000, 8, 3),
        # All counted pages are known, so these are zero pages, as in a mapping without memory.
        (0x28000, 8, mp.PageStatus.EFAULT),
        (0x30000, 16, mp.PageStatus.EFAULT),
        (0x40000, 16, 2),
        (0x50000, 16, HIDDEN),
        (0x90000, 1, -2),
    ]


def test_shared_pages_may_be_zero_pages_and_stay_hidden(one_process):
    assert told(runs_of((0x24000, 8, HIDDEN))) == [
        (0x24000, 4, 3),
        (0x28000, 4, HIDDEN),
    ]
    assert told(runs_of((0x28000, 1, HIDDEN))) == [(0x28000, 1, HIDDEN)]


def test_mappings_are_read_once_on_request(one_process):
    found = runs_of((0x20000, 1, HIDDEN))
    with mappings_read_once():
        assert told(found) == told(found) == [(0x20000, 1, 3)]
    assert one_process.count("numa_maps") == 1
    told(found)
    assert one_process.count("numa_maps") == 2


def test_hidden_pages_stay_hidden_without_numa_maps(monkeypatch):
    monkeypatch.setattr(numa_maps, "read_if_told", lambda *_: None)
    assert told(runs_of((0x20000, 2, HIDDEN))) == [(0x20000, 2, HIDDEN)]


def test_hidden_pages_are_distinguished_from_absent_ones():
    address, pages = np.array([PAGE, 9 * PAGE], np.uintp), np.array([3, 1])
    found = absences(address, pages, np.array([HIDDEN, 0], np.int32), PAGE, 2**22 + 1)
    assert found.tolist() == [(PAGE, 3, Absence.HIDDEN)]


def test_pages_moved_to_their_target_are_hidden_no_more():
    address, pages = np.array([PAGE, 9 * PAGE], np.uintp), np.array([3, 1])
    before = absences(address, pages, np.array([HIDDEN, -2], np.int32), PAGE, 2**22 + 1)
    runs = np.array([(PAGE, 1, PAGE, HIDDEN), (2 * PAGE, 2, 2 * PAGE, 0)], RUN_DTYPE)
    after = hidden_afterwards(before, runs, PAGE)
    assert after.tolist() == [(PAGE, 1, Absence.HIDDEN), (9 * PAGE, 1, Absence.UNKNOWN)]


@pytest.fixture
def hides(monkeypatch):
    """Make a query of an array find some of its pages hidden; return the array."""
    a = memory.anonymous(8 * PAGE, NODE)
    ask = page_query.survey_rows

    def some_hidden(addresses, pages, **how):
        failure, found = ask(addresses, pages, **how)
        every = SurveyRuns(
            memory.pages_of(a),
            np.ones(8, np.int64),
            np.array([HIDDEN] * 3 + [NODE] * 5, np.int32),
            np.ones(8, np.uint8),
        )
        return failure, every if found.address[0] == a.ctypes.data else found

    monkeypatch.setattr(page_query, "survey_rows", some_hidden)
    monkeypatch.setattr(numa_maps, "read_if_told", lambda *_: None)
    return a


def test_hidden_pages_are_neither_on_a_node_nor_absent(hides):
    p = mp.where(hides, shortcuts=False)
    assert (p.hidden_pages, p.hidden_bytes) == (3, 3 * PAGE)
    assert (p.absent_pages, p.absent_bytes) == (0, 0)
    assert p.bytes_per_node == {NODE: 5 * PAGE}
    assert p.absent_reasons == {Absence.HIDDEN: 3}
    assert "absent" not in str(p)
    assert f"not known: {format_bytes(3 * PAGE)} (3 in memory" in str(p)


def test_pictures_name_hidden_pages(hides):
    p = mp.where(hides, shortcuts=False)
    assert off_nodes(p) == f"not known: {format_bytes(3 * PAGE)}"
    assert f"not known: {format_bytes(3 * PAGE)}" in p._repr_html_()


def test_plan_names_hidden_pages(hides):
    p = mp.plan(hides, NODE)
    assert (p.hidden, p.absent, p.in_place) == (3, 0, 5 * PAGE)
    assert "3 pages may stay where they are" in p.problems[0]


def test_move_asks_for_hidden_pages(hides):
    """A kernel that does not hide them gives their real statuses."""
    r = mp.move(hides, NODE, retry=mp.RetryPolicy())
    assert (r.moved, r.already_there, r.ok) == (3, 5, True)
    assert r.absent_reasons == {}
