"""touch() and arrays with a layout: pages allocated by several threads, and no trace of them."""

import errno

import numpy as np
import pytest

import movepages as mp
from interruptions import trial
from movepages import _core
from movepages.memory import placed_pages
from support import memory, own_threads, policies, system, witness

PAGE = memory.PAGE
NODE = mp.topology().allowed_nodes[0]
NOT_A_NODE = max(mp.topology().nodes) + 1
PART = 16 << 20
NO_CPUS = np.empty(0, np.int32)
# include/uapi/linux/mempolicy.h
STATIC_NODES, RELATIVE_NODES = 1 << 15, 1 << 14


@pytest.fixture(autouse=True)
def _no_thread_stays():
    before = own_threads.ids()
    yield
    assert own_threads.ended_since(before)


def resident():
    with open("/proc/self/statm", encoding="utf-8") as file:
        return int(file.read().split()[1]) * PAGE


def share(array, *nodes, threads=0, reserve=0, cpus=NO_CPUS):
    starts, nbytes = np.array([array.ctypes.data], np.uintp), np.array([array.nbytes], np.int64)
    reserves = np.full(len(nodes), reserve, np.int64)
    return np.array(nodes, np.int32), reserves, starts, nbytes, cpus, threads


@pytest.mark.parametrize("threads", [None, 1, 2, 5, 300, 10**20])
def test_every_page_is_touched_and_none_changed(threads):
    a = memory.anonymous(5 * PART // 2)
    a[PAGE : 3 * PAGE] = 7
    mp.touch(a, threads=threads)
    assert witness.present(memory.pages_of(a)[::97]).all()
    assert mp.where(a).absent_bytes == 0
    assert int(np.count_nonzero(a)) == 2 * PAGE


def test_rows_of_an_array():
    a = memory.anonymous(12 * PAGE).reshape(6, -1)
    mp.touch(a[::2, :PAGE], threads=2)
    found = witness.present(memory.pages_of(a))
    assert np.flatnonzero(found).tolist() == [0, 4, 8]
    mp.touch(a[:0], threads=2)


@pytest.mark.parametrize(
    ("threads", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), ("2", TypeError)]
)
def test_invalid_numbers_of_threads(threads, error):
    with pytest.raises(error, match="threads: expected"):
        mp.touch(memory.anonymous(PAGE), threads=threads)


@pytest.mark.parametrize("threads", [1, 3])
def test_memory_that_is_not_mapped(threads):
    with memory.apart(3 * PART) as a:
        system.succeed(system.libc.munmap(a.ctypes.data + PART + PAGE, PAGE))
        with pytest.raises(mp.MovePagesMemoryError, match="not mapped"):
            mp.touch(a, threads=threads)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_ends_touch(threads, pytestconfig):
    def touch():
        mp.touch(mp.empty(2 * PART, np.uint8), threads=threads)

    assert trial(touch, pytestconfig.getoption("signal_seconds")) > 0


@pytest.mark.parametrize("block", [PAGE, None])
def test_an_interrupt_frees_an_array_with_a_layout(block, pytestconfig):
    layout = mp.interleave(mp.topology().allowed_nodes[:2], block=block)
    outside, before = policies.of_thread(), 0

    def allocate():
        nonlocal before
        # Anew for each call, because sanitizers keep what the interpreter frees.
        before = resident()
        mp.empty(2 * PART, np.uint8, layout=layout)

    def check(_raised):
        assert policies.of_thread() == outside
        assert resident() < before + PART // 2

    heard = trial(allocate, pytestconfig.getoption("signal_seconds"), check)
    assert heard > 0


@pytest.mark.parametrize("flags", [0, STATIC_NODES, RELATIVE_NODES])
def test_the_callers_policy_is_as_before(flags):
    a = memory.anonymous(4 * PAGE)
    with policies.thread_has(system.MPOL_INTERLEAVE | flags, NODE):
        before = policies.of_thread()
        for nodes in [(NODE,), (NODE, NOT_A_NODE)]:
            shares = [share(a, *nodes), share(a, *nodes, threads=2)]
            assert _core.populate(shares, None) is None
            assert policies.of_thread() == before
        assert _core.populate([share(a, NOT_A_NODE)], None) == (errno.EINVAL, NOT_A_NODE, False)
        assert policies.of_thread() == before


def test_handlers_of_signals_run_with_the_callers_policy():
    found = []
    a = memory.anonymous(3 * PART)
    for nodes in [(NODE,), (NODE, NOT_A_NODE)]:
        _core.populate([share(a, *nodes)], lambda: found.append(policies.of_thread()))
    assert len(found) > 4
    assert set(found) == {policies.of_thread()}


def test_shares_that_the_kernel_refuses():
    a = memory.anonymous(4 * PAGE)
    for threads in (0, 1):
        wrong = share(a, NOT_A_NODE, threads=threads)
        assert _core.populate([share(a, NODE), wrong], None) == (errno.EINVAL, NOT_A_NODE, False)
        wrong = share(a, NODE, threads=threads, reserve=2**63 - 1)
        assert _core.populate([wrong], None) == (errno.ENOMEM, NODE, True)


def test_several_nodes_of_which_one_does_not_exist():
    a = memory.anonymous(4 * PAGE)
    # The kernel leaves out nodes that do not exist.
    assert _core.populate([share(a, NODE, NOT_A_NODE)], None) is None
    assert witness.present(memory.pages_of(a)).all()


def test_invalid_shares():
    a = memory.anonymous(PAGE)
    nodes, reserves, starts, nbytes, cpus, threads = share(a, NODE)
    beyond = np.array([2**64 - PAGE], np.uintp)
    twice, half_each = np.repeat(starts, 2), np.full(2, 2**60 + 1)
    for wrong, said in [
        (share(a, 1024), "below MAX_NODES"),
        (share(a, -1), "below MAX_NODES"),
        ((nodes, reserves[:0], starts, nbytes, cpus, threads), "one entry for each"),
        ((nodes, reserves, starts, nbytes[:0], cpus, threads), "one entry for each"),
        ((nodes, reserves, beyond, nbytes * 2, cpus, threads), "end below"),
        ((nodes, reserves, starts, np.array([2**63 - 1]), cpus, threads), r"at most 2\*\*61"),
        ((nodes, reserves, twice, half_each, cpus, threads), r"at most 2\*\*61"),
        (share(a, cpus=np.array([-1], np.int32)), "no such CPU"),
    ]:
        with pytest.raises(ValueError, match=said):
            _core.populate([wrong], None)
    negative = nodes, reserves, starts, -nbytes, cpus, threads
    assert _core.populate([negative], None) is None
    assert not witness.present(memory.pages_of(a)).any()


def test_shares_of_other_types():
    for wrong in [(), 3, (1, 2, 3, 4, 5, 6, 7), (None, None, None, None, None, 1 << 40), (0,) * 6]:
        with pytest.raises(TypeError):
            _core.populate([wrong], None)


def test_memory_beside_a_new_array_does_not_reach_into_it():
    if not memory.huge_page_size():
        pytest.skip("needs transparent huge pages")
    size = 3 * memory.huge_page_size() + 5 * PAGE
    for _ in range(20):
        made = [mp.empty(size, np.uint8, layout=mp.blocks([NODE])) for _ in range(3)]
        # No huge page of one holds the edge of another.
        for each in made:
            last = each.ctypes.data + each.nbytes
            if last % memory.huge_page_size() == 0:
                # The last of its own huge pages may end here.
                continue
            start, end = _core.scan_huge(last - PAGE, last, 0) or ([], [])
            assert len(start) == len(end) == 0


def test_the_pause_of_a_caller_ends_the_call():
    def pause():
        raise KeyError

    a = memory.anonymous(4 * PART)
    for threads in (0, 2):
        assert isinstance(
            _core.populate([share(a, threads=threads)], pause), (KeyError, type(None))
        )


def test_where_policies_are_forbidden_pages_are_touched_and_moved(monkeypatch):
    monkeypatch.setattr(placed_pages, "populate_shares", lambda *_: (errno.EPERM, 0, False))
    a = mp.empty(40 * PAGE, np.uint8, layout=mp.blocks([NODE, NODE]))
    assert mp.where(a).bytes_per_node == {NODE: a.nbytes}


def test_a_node_without_room_is_named(monkeypatch):
    monkeypatch.setattr(_core, "node_room", lambda _: 5 << 20)
    monkeypatch.setattr(placed_pages, "zone_reserves", lambda: {NODE: 1 << 20})
    with pytest.raises(
        mp.MovePagesMemoryError,
        match=f"node {NODE} can give 4 MiB, but 16 MiB are needed there: 12 MiB too little",
    ):
        mp.empty(PART, np.uint8, layout=mp.blocks([NODE]))


def test_a_node_that_becomes_full_is_named(monkeypatch):
    monkeypatch.setattr(placed_pages, "refuse_full_nodes", lambda *_: None)
    monkeypatch.setattr(placed_pages, "zone_reserves", lambda: {NODE: 1 << 60})
    before = resident()
    with pytest.raises(mp.MovePagesMemoryError, match=f"node {NODE} became full, with 0 B left"):
        mp.empty(PART, np.uint8, layout=mp.blocks([NODE]))
    assert resident() < before + PART // 2


def test_other_errors_of_the_kernel(monkeypatch):
    monkeypatch.setattr(placed_pages, "populate_shares", lambda *_: (errno.EIO, 0, False))
    with pytest.raises(mp.MovePagesError) as caught:
        mp.empty(PART, np.uint8, layout=mp.blocks([NODE]))
    assert caught.value.errno == errno.EIO


def test_a_layout_that_tears_pages_warns():
    with pytest.warns(mp.LayoutWarning, match="not wholly where they were wanted"):
        mp.empty((64, 64), layout=Torn())


class Torn:
    """One node for every page, of which each holds a part that is wanted elsewhere."""

    only, distinct, torn, adapts, shares = None, [NODE], True, False, None

    def over(self, _array, _footprint):
        return self

    def nodes_for(self, _index, addresses):
        return np.full(len(addresses), NODE, np.int32)

    def count_nowhere(self, _index, _addresses, pages):
        return np.zeros(len(pages), np.int64)
