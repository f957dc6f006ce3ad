"""where() with shortcuts: statuses equal those of single queries, and a doubt ends a shortcut."""

import os

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from movepages.query import numa_maps_shortcut, page_query, shortcuts
from movepages.system.intervals import Intervals
from movepages.system.maps import parse_maps
from movepages.system.numa_maps import parse_numa_maps, resident_pages, single_nodes
from support import memory

PAGE = memory.PAGE
NODE = mp.topology().allowed_nodes[0]
PAGES = 4000

needs_scan = pytest.mark.skipif(
    _core.scan_huge(0, PAGE, 0) is None, reason="needs PAGEMAP_SCAN, which came with Linux 6.7"
)


@pytest.fixture
def small():
    a = memory.anonymous(PAGES * PAGE, NODE)
    memory.discard(a[40 * PAGE : 45 * PAGE])
    assert a[1000 * PAGE] == 1000 % 251
    return a


@pytest.fixture
def unprivileged(monkeypatch):
    monkeypatch.setattr(page_query, "MANY_PAGES", 1)
    monkeypatch.setattr(_core, "shows_frame_numbers", lambda: False)
    monkeypatch.setattr(shortcuts, "resident_pages", lambda _pid: 1)


@pytest.fixture
def asked(monkeypatch):
    """Count the pages that are queried one by one."""
    counts = []
    ask = page_query.survey_rows

    def count(addresses, pages, **how):
        if how["fewest"] is None:
            counts.append(int(pages.sum()))
        return ask(addresses, pages, **how)

    monkeypatch.setattr(page_query, "survey_rows", count)
    return counts


def same_as_asked(a):
    p = mp.where(a)
    bare = mp.where(a, shortcuts=False)
    assert p == bare
    assert np.array_equal(p.absences, bare.absences)
    return p


@needs_scan
def test_mapping_on_one_node_is_not_queried_page_by_page(small, unprivileged, asked):
    p = same_as_asked(small)
    assert p.pages_per_node == {NODE: PAGES - 5}
    assert sum(asked) < PAGES / 25


@needs_scan
def test_a_part_and_a_strided_view_of_it(small, unprivileged, asked):
    for a in (small[5:-3], small.reshape(-1, 8 * PAGE)[:, PAGE : 4 * PAGE]):
        same_as_asked(a)
    assert sum(asked) < PAGES / 4


@needs_scan
def test_sample_on_another_node_has_all_pages_queried(small, unprivileged, asked, monkeypatch):
    start = small.ctypes.data
    edges = np.array([start, start + small.nbytes], np.uintp)
    lie = Intervals(edges, np.array([NODE + 8]))
    monkeypatch.setattr(numa_maps_shortcut, "single_nodes", lambda _pid: lie)
    same_as_asked(small)
    assert PAGES - 5 in asked


@needs_scan
@pytest.mark.parametrize(
    ("reader", "hidden"), [(numa_maps_shortcut, "single_nodes"), (shortcuts, "resident_pages")]
)
def test_pages_are_queried_where_a_sandbox_hides_files(
    small, unprivileged, asked, monkeypatch, reader, hidden
):
    monkeypatch.setattr(reader, hidden, lambda _pid: None)
    same_as_asked(small)


def test_process_with_much_more_memory_is_queried_page_by_page(small, unprivileged, monkeypatch):
    monkeypatch.setattr(shortcuts, "resident_pages", lambda _pid: 2 * PAGES)
    monkeypatch.setattr(
        numa_maps_shortcut,
        "single_nodes",
        lambda _pid: pytest.fail("read numa_maps of the whole process"),
    )
    same_as_asked(small)


@needs_scan
def test_shortcut_by_frame_numbers(small, monkeypatch, need_root):
    if not _core.shows_frame_numbers():
        pytest.skip("needs page frame numbers, which are hidden from this root")
    monkeypatch.setattr(page_query, "MANY_PAGES", 1)
    monkeypatch.setattr(page_query, "BY_NUMBER", 1)
    for a in (small, small[5:-3], small.reshape(-1, 8 * PAGE)[:, PAGE : 4 * PAGE]):
        same_as_asked(a)


def test_move_queries_pages_one_by_one(small, unprivileged, monkeypatch):
    monkeypatch.setattr(numa_maps_shortcut, "look", lambda *_: pytest.fail("a shortcut was taken"))
    assert mp.move(small[50 * PAGE :], NODE).already_there == PAGES - 50


NUMA_MAPS = b"""\
00400000 default file=/bin/x\\040N7=3 mapped=4 N0=4 kernelpagesize_kB=4
00800000 bind:1 anon=5 dirty=5 active=0 N1=5 kernelpagesize_kB=4
00a00000 default heap anon=9 dirty=9 N0=4 N12=5 kernelpagesize_kB=4
7f0000000000 prefer:3
7ffc00000000 default stack anon=3 dirty=3 active=1 N0=3 kernelpagesize_kB=4
"""


def test_numa_maps_as_the_kernel_writes_it():
    starts, nodes, pages = parse_numa_maps(NUMA_MAPS)
    assert starts.tolist() == [0x400000, 0x800000, 0xA00000, 0x7F0000000000, 0x7FFC00000000]
    assert nodes.tolist()[1:] == [2, 0, 0, 1]
    assert pages.tolist()[1:] == [5 * 4096 // PAGE, 9 * 4096 // PAGE, 0, 3 * 4096 // PAGE]


def test_only_private_mappings_on_one_node_are_known_up_to_their_end(monkeypatch):
    maps = (
        b"00400000-00404000 r-xp 0 08:01 12 /bin/x\n"
        b"00800000-00c00000 rw-p 0 00:00 0 \n"
        b"7f0000000000-7f0000100000 rw-p 0 00:00 0 \n"
        b"7ffc00000000-7ffc00100000 rw-p 0 00:00 0 [stack]\n"
        b"ffffffffff600000-ffffffffff601000 --xp 0 00:00 0 [vsyscall]\n"
    )
    monkeypatch.setattr("movepages.system.numa_maps.read_if_told", lambda *_args: NUMA_MAPS)
    monkeypatch.setattr("movepages.system.numa_maps.read_mappings", lambda _pid: parse_maps(maps))
    known = single_nodes(0)
    # The second mapping has since merged with the third.
    edges = [0x800000, 0xA00000, 0x7FFC00000000, 0x7FFC00100000]
    assert (known.edges.tolist(), known.value.tolist()) == (edges, [2, 1])


@pytest.mark.parametrize("pid", [0, os.getpid()])
def test_nodes_and_size_of_this_process(small, pid):
    known = single_nodes(pid)
    addresses = memory.pages_of(small)
    assert (known.at(addresses) == NODE + 1).all()
    assert resident_pages(pid) > PAGES / 2


def test_nodes_and_size_of_a_dead_process():
    assert single_nodes(2**22 + 1) is None
    assert resident_pages(2**22 + 1) is None
