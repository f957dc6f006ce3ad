"""Arrays move between the nodes of a real kernel; an independent call checks where they are."""

import numpy as np
import pytest

import movepages as mp
from support import memory, nodes, witness
from support.processes import child

MIB = 1 << 20


def fill(array):
    """Write values that depend on the position; return the sample that moves must preserve."""
    words = array.view(np.uint64)
    words[:] = np.arange(len(words), dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return words[:: memory.PAGE // 16].copy()


def contents(array):
    return array.view(np.uint64)[:: memory.PAGE // 16]


def where_witnessed(array):
    return witness.nodes_of(memory.pages_of(array))


@pytest.fixture
def node_ids(two_nodes):
    """Return all nodes with room for the arrays used here, the first node first."""
    return [node for node in nodes.allowed() if nodes.free_bytes(node) > 100 * MIB]


@pytest.mark.parametrize("huge", [False, True], ids=["small pages", "huge pages"])
def test_64_mib_move_to_every_node_and_back(node_ids, huge):
    first, *others = node_ids
    a = memory.anonymous(64 * MIB, node=first, huge=huge)
    written = fill(a)
    if huge:
        assert witness.huge_bytes(a) == a.nbytes
    pages = len(memory.pages_of(a))
    for node in [*others, first]:
        r = mp.move(a, node)
        assert (r.pages, r.moved, r.already_there, r.ok) == (pages, pages, 0, True)
        assert (where_witnessed(a) == node).all()
        assert mp.where(a).bytes_per_node == {node: a.nbytes}
        again = mp.move(a, node)
        assert (again.moved, again.already_there) == (0, pages)
    assert np.array_equal(contents(a), written)
    if huge:
        assert witness.huge_bytes(a) == a.nbytes


def test_ordinary_numpy_array_moves(node_ids):
    a = np.arange(4_000_000, dtype=np.float64)
    total = a.sum()
    for node in [*node_ids, node_ids[0]]:
        r = mp.move(a, node)
        r.raise_for_status()
        p = mp.where(a)
        assert p.bytes_per_node == {node: a.nbytes}
        assert (witness.nodes_of(p.addresses) == node).all()
    assert a.sum() == total


def test_a_node_for_each_page(node_ids):
    a = memory.anonymous(8 * MIB, node=node_ids[0])
    written = fill(a)
    target = np.random.default_rng(7).choice(node_ids, len(memory.pages_of(a))).astype(np.int32)
    r = mp.move(a, target)
    stay = int((target == node_ids[0]).sum())
    assert (r.moved, r.already_there, r.ok) == (len(target) - stay, stay, True)
    assert np.array_equal(where_witnessed(a), target)
    assert np.array_equal(r.status, target)
    assert np.array_equal(contents(a), written)


def test_rows_of_a_matrix_move_and_pages_between_them_stay(node_ids):
    here, there = node_ids[:2]
    matrix = memory.anonymous(100 * 10 * memory.PAGE, node=here).reshape(100, -1)
    rows = matrix[::10, : 3 * memory.PAGE]
    r = mp.move(rows, there)
    assert (r.pages, r.moved) == (30, 30)
    expected = np.full((100, 10), here)
    expected[::10, :3] = there
    assert np.array_equal(where_witnessed(matrix), expected.ravel())


def test_placement_restores_every_page(node_ids):
    a = memory.anonymous(4 * MIB, node=node_ids[0])
    memory.discard(a[3 * MIB :])
    part = len(memory.pages_of(a)) * 3 // 4
    scattered = np.random.default_rng(3).choice(node_ids, part).astype(np.int32)
    mp.move(a[: 3 * MIB], scattered).raise_for_status()
    before = mp.where(a)
    mp.move(a[: 3 * MIB], node_ids[1]).raise_for_status()
    r = mp.move(a, before)
    assert r.ok
    assert r.already_there == int((scattered == node_ids[1]).sum()) + len(before.status) - part
    assert np.array_equal(witness.nodes_of(memory.pages_of(a)[:part]), scattered)
    assert mp.where(a) == before


def test_absent_pages_stay_absent_and_the_others_move(node_ids):
    here, there = node_ids[:2]
    a = memory.anonymous(64 * memory.PAGE)
    a[:: 4 * memory.PAGE] = 1
    mp.move(a, here)
    r = mp.move(a, there)
    assert (r.moved, r.failed) == (16, 48)
    pages = memory.pages_of(a)
    assert np.flatnonzero(witness.present(pages)).tolist() == list(range(0, 64, 4))
    assert (witness.nodes_of(pages[::4]) == there).all()


def test_where_agrees_with_numa_maps(node_ids):
    a = memory.anonymous(4 * MIB)
    parts = np.array_split(a, len(node_ids))
    for node, part in zip(node_ids, parts, strict=True):
        memory.bind(part[: part.nbytes // 2 // memory.PAGE * memory.PAGE], node)
    for part in parts:
        memory.touch(part[: part.nbytes // 2 // memory.PAGE * memory.PAGE])
    p = mp.where(a)
    assert p.pages_per_node == witness.pages_per_node(a)
    assert p.absent_pages == int((~witness.present(memory.pages_of(a))).sum())


class TestAnotherProcess:
    """The child writes to the inherited memory after the fork, so it has its own copy."""

    @pytest.fixture
    def inherited(self, node_ids):
        return memory.anonymous(MIB, node=node_ids[0])

    def test_pages_of_the_child_move_and_ours_stay(self, node_ids, inherited):
        here, there = node_ids[:2]
        with child(memory.touch, inherited) as other:
            region = mp.Region(inherited.ctypes.data, inherited.nbytes, pid=other.pid)
            r = mp.move(region, there)
            assert (r.moved + r.already_there, r.ok) == (r.pages, True)
            found = other.call(witness.nodes_of, memory.pages_of(inherited))
            assert (found == there).all()
            assert witness.pages_per_node(inherited, other.pid) == {there: r.pages}
            assert mp.where(region).bytes_per_node == {there: inherited.nbytes}
        assert (where_witnessed(inherited) == here).all()

    def test_a_node_for_each_page_by_pid(self, node_ids, inherited):
        pages = memory.pages_of(inherited)
        target = np.resize(np.array(node_ids, np.int32), len(pages))
        with child(memory.touch, inherited) as other:
            status = mp.move_pages(pages, target, pid=other.pid)
            assert np.array_equal(status, target)
            assert np.array_equal(other.call(witness.nodes_of, pages), target)

    def test_pages_shared_after_a_fork_move_only_with_move_all(self, node_ids, inherited):
        here, there = node_ids[:2]
        with child():
            r = mp.move(inherited, there)
            assert r.failures == {mp.PageStatus.EACCES: r.pages}
            assert (where_witnessed(inherited) == here).all()
            with pytest.raises(mp.MovePagesError, match="MPOL_MF_MOVE_ALL") as caught:
                r.raise_for_status()
            assert isinstance(caught.value, PermissionError)
            r = mp.move(inherited, there, flags=mp.MPOL_MF_MOVE_ALL)
            assert (r.moved, r.ok) == (r.pages, True)
            assert (where_witnessed(inherited) == there).all()
