"""empty() with a layout: each page comes to its node at once, and no other node ever has it."""

import threading

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from movepages._core import HUGE_PAGE_BYTES
from movepages.memory import creation, placed_pages
from movepages.migration.layout_targets import wanted_pages
from movepages.system.zone_reserves import zone_reserves
from support import memory, nodes, policies, witness

PAGE = memory.PAGE
# One page in so many is looked at while pages are allocated.
STEP = 17
# It may all be allocated before it was looked at often enough.
_TRIES = 30


@pytest.fixture
def allowed(two_nodes):
    return nodes.allowed()


def layouts(on):
    here, there = on[:2]
    return {
        "blocks": mp.blocks(on),
        "interleave": mp.interleave(on),
        "pages": mp.interleave(on, block=PAGE),
        "pages of two": mp.interleave(on[:2], block=PAGE),
        "pages of two, turned": mp.interleave(on[1::-1], block=PAGE),
        "pages, turned": mp.interleave(on[1:] + on[:1], block=PAGE),
        "pages, backwards": mp.interleave(on[::-1], block=PAGE),
        "half huge": mp.interleave(on[:2], block=HUGE_PAGE_BYTES // 2),
        "three halves": mp.interleave(on[:2], block=HUGE_PAGE_BYTES * 3 // 2),
        "weighted": mp.weighted({here: 3, there: 1}),
        "by axis": mp.by_axis(0, on),
        "one node": mp.blocks([there]),
    }


NAMES = list(layouts((0, 1, 2)))


@pytest.mark.parametrize("huge", [None, "thp"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("nbytes", [9 * HUGE_PAGE_BYTES + 7 * PAGE, 40 * PAGE])
@pytest.mark.filterwarnings("ignore::movepages.LayoutWarning")
def test_pages_are_where_a_move_would_put_them(allowed, name, huge, nbytes):
    if huge and not memory.huge_page_size():
        pytest.skip("needs transparent huge pages")
    layout = layouts(allowed[:3])[name]
    outside = policies.of_thread()
    a = mp.zeros((nbytes // PAGE, PAGE), np.uint8, layout=layout, huge=huge)
    found = witness.nodes_at_once(memory.pages_of(a))
    moved = mp.move(a, layout)
    assert moved.moved == 0
    if not moved.overruled:
        assert found.tolist() == mp.targets(a, layout).tolist()
    assert policies.of_thread() == outside
    assert {each.mode.name for each in mp.policy(a)} == {"DEFAULT"}
    assert not a.any()


def anonymous_on(node):
    """Return the bytes of anonymous memory on a node, of all processes.

    Free memory would not tell: the CPUs take many pages at once to their lists, and files fill it.
    """
    text = (nodes.SYSFS / f"node{node}" / "meminfo").read_text()
    return int(text.partition("AnonPages:")[2].split(None, 1)[0]) * 1024


class Watch:
    """Looks at the pages of the next array with a layout while they are allocated."""

    def __init__(self, monkeypatch, watched):
        self.samples, self.wrong, self.peak = 0, 0, {}
        self.most = {node: anonymous_on(node) for node in watched}
        monkeypatch.setattr(creation, "populate_by_layout", self._populate)

    def _populate(self, footprint, target, *, huge_until):
        assert huge_until is None
        parts = list(wanted_pages(footprint, target))
        pages, wanted = (np.concatenate(column) for column in zip(*parts, strict=True))
        done = threading.Event()
        thread = threading.Thread(target=self._look, args=(pages, wanted, done))
        thread.start()
        try:
            return placed_pages.populate_by_layout(footprint, target, huge_until=huge_until)
        finally:
            done.set()
            thread.join()

    def _look(self, pages, wanted, done):
        while not done.is_set():
            for node, most in self.most.items():
                self.most[node] = max(most, anonymous_on(node))
            # Other pages each time; looking at all of them takes as long as their allocation.
            some = slice(self.samples % STEP, None, STEP)
            status = mp.move_pages(pages[some])
            there = status >= 0
            self.wrong += int((status != wanted[some])[there].sum())
            for node, count in enumerate(np.bincount(status[there])):
                self.peak[node] = max(self.peak.get(node, 0), STEP * int(count))
            self.samples += 0 < there.sum() < len(status)


@pytest.mark.parametrize("name", ["blocks", "interleave", "pages", "pages of two", "half huge"])
def test_no_node_ever_has_more_than_its_share(allowed, name, monkeypatch):
    on = allowed[:3]
    size = 96 << 20
    before = {node: anonymous_on(node) for node in on}
    watch = Watch(monkeypatch, on)
    for _ in range(_TRIES):
        a = None
        a = mp.empty(size, np.uint8, layout=layouts(on)[name])
        if watch.samples > 3:
            break
    assert watch.samples > 3
    assert watch.wrong == 0
    for node in on:
        share = size // len(on)
        share = size // 2 if name in ("half huge", "pages of two") else share
        assert watch.peak.get(node, 0) * PAGE <= share + HUGE_PAGE_BYTES
        # Others' memory comes on top.
        assert watch.most[node] - before[node] <= share + (12 << 20)
    assert (witness.nodes_at_once(memory.pages_of(a)) == mp.targets(a, layouts(on)[name])).all()


def test_many_cuts_do_not_split_the_mapping(allowed):
    a = mp.empty(64 << 20, np.uint8, layout=mp.interleave(allowed[:2], block=PAGE))
    with open("/proc/self/maps", encoding="utf-8") as lines:
        edges = [[int(edge, 16) for edge in line.split()[0].split("-")] for line in lines]
    first, end = a.ctypes.data, a.ctypes.data + a.nbytes
    # Elsewhere in the process, mappings come and go.
    assert sum(low < end and high > first for low, high in edges) == 1
    found = witness.nodes_at_once(memory.pages_of(a))
    assert (found == np.resize(allowed[:2], len(found))).all()


@pytest.mark.parametrize("checked_before", [True, False])
def test_a_full_node_is_named_and_nothing_stays_allocated(
    allowed, small_node, checked_before, monkeypatch
):
    other = next(node for node in allowed if node != small_node)
    size = 2 * nodes.most_bytes(small_node) + (64 << 20)
    if not checked_before:
        monkeypatch.setattr(placed_pages, "refuse_full_nodes", lambda *_: None)
    before = memory.own_bytes()
    with pytest.raises(mp.MovePagesMemoryError) as caught:
        mp.empty(size, np.uint8, layout=mp.interleave([other, small_node]))
    said = str(caught.value)
    assert f"node {small_node}" in said
    assert f"node {other} " not in said
    if checked_before:
        assert "too little. Nothing was allocated" in said
    # The error, with its traceback, is still alive.
    assert memory.own_bytes() < before + (16 << 20)


def test_room_left_is_enough(small_node):
    # While a CPU allocates, its list of free pages gets longer. The first array makes it long.
    for spare in (32 << 20, 2 << 20):
        room = _core.node_room(small_node) - zone_reserves()[small_node]
        # The page tables are on the same node.
        size = room * 511 // 513 // PAGE * PAGE - spare
        a = mp.empty(size, np.uint8, layout=mp.blocks([small_node]))
        assert (witness.nodes_at_once(memory.pages_of(a)) == small_node).all()
        del a


def test_a_hugetlb_pool_on_one_node(allowed, need_root):
    from pathlib import Path

    from support.kinds_kernel import settings

    with settings({Path("/proc/sys/vm/nr_overcommit_hugepages"): "8"}):
        size = memory.hugetlb_page_size()
        a = mp.empty(2 * size, np.uint8, huge="hugetlb", layout=mp.blocks(allowed[:2]))
        found = mp.where(a).bytes_per_node
    assert found == dict.fromkeys(allowed[:2], size)


def test_touching_with_several_threads_follows_the_calling_thread(allowed):
    for node in allowed:
        a = memory.anonymous(40 << 20)
        with mp.first_touch(node):
            mp.touch(a, threads=3)
        assert (witness.nodes_at_once(memory.pages_of(a)) == node).all()
