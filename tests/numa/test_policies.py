"""Policies and layouts put new pages on their nodes, and placements bring pages back."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import movepages as mp
from support import memory, nodes, witness

PAGE = memory.PAGE


@pytest.fixture
def allowed(two_nodes):
    return nodes.allowed()


def test_pages_bound_to_a_node_land_there(allowed):
    for node in allowed:
        a = memory.anonymous(100 * PAGE)
        mp.bind(a, node)
        mp.touch(a[: 40 * PAGE])
        a[40 * PAGE :: PAGE] = 1
        assert (witness.nodes_of(memory.pages_of(a)) == node).all()


def test_bind_leaves_present_pages_in_place(allowed):
    a = memory.anonymous(20 * PAGE, allowed[0])
    memory.discard(a[10 * PAGE :])
    mp.bind(a, allowed[1])
    mp.touch(a)
    found = witness.nodes_of(memory.pages_of(a))
    assert found.tolist() == [allowed[0]] * 10 + [allowed[1]] * 10


@pytest.mark.parametrize("mode", ["interleave", "preferred-many", "weighted-interleave"])
def test_several_nodes(allowed, mode):
    a = memory.anonymous(120 * PAGE)
    try:
        mp.bind(a, allowed, mode=mode)
    except mp.MovePagesUnsupportedError as error:
        pytest.skip(f"this kernel is too old: {error}")
    assert mp.policy(a)[0].nodes == allowed
    mp.touch(a)
    found = witness.nodes_of(memory.pages_of(a))
    if mode == "interleave":
        assert (np.bincount(found)[list(allowed)] == 120 // len(allowed)).all()
    assert set(found.tolist()) <= set(allowed)


@pytest.mark.parametrize("huge", [None, "thp"])
def test_arrays_of_a_node_and_of_a_layout(allowed, huge):
    if huge and not memory.huge_page_size():
        pytest.skip("needs transparent huge pages")
    for node in allowed:
        a = mp.full((300, 1000), 1.5, node=node, huge=huge)
        assert (witness.nodes_of(memory.pages_of(a)) == node).all()
    b = mp.zeros((8, 1 << 21), np.uint8, layout=mp.by_axis(0, allowed[:2]))
    found = witness.nodes_of(memory.pages_of(b))
    half, huge_page = len(found) // 2, (1 << 21) // PAGE
    # The kernel may allocate huge pages by itself, and one may lie across the middle.
    assert (found[: half - huge_page] == allowed[0]).all()
    assert (found[half + huge_page :] == allowed[1]).all()
    assert (b == 0).all()


def test_ten_thousand_arrays_of_a_node_leak_nothing(allowed):
    node = allowed[-1]
    mp.full(PAGE, 1, np.uint8, node=node)
    before = memory.own_bytes()
    for _ in range(10_000):
        a = mp.empty(4 * PAGE, np.uint8, node=node)
        a[::PAGE] = 1
    assert (witness.nodes_of(memory.pages_of(a)) == node).all()
    # A leak of one page per array would be 40 MiB. The node's free memory would say less: lists of
    # the CPUs keep up to an eighth of it.
    assert memory.own_bytes() - before < 8 << 20


def test_saved_placement_is_restored(allowed, tmp_path):
    a = memory.anonymous(600 * PAGE, allowed[0])
    a[::PAGE] = np.arange(600) % 251
    mp.move(a, mp.weighted(dict(zip(allowed, (3, 1, 2, 1), strict=False)))).raise_for_status()
    before = witness.nodes_of(memory.pages_of(a))
    mp.where(a).save(tmp_path / "placement.npz")
    scrambled = np.random.default_rng(1).choice(allowed, 600)
    mp.move(a, scrambled).raise_for_status()
    assert not np.array_equal(witness.nodes_of(memory.pages_of(a)), before)
    mp.move(a, mp.Placement.load(tmp_path / "placement.npz")).raise_for_status()
    assert np.array_equal(witness.nodes_of(memory.pages_of(a)), before)
    assert np.array_equal(a[::PAGE], np.arange(600) % 251)


def test_plan_predicts_the_move(allowed):
    a = memory.anonymous(400 * PAGE, allowed[0])
    memory.discard(a[: 7 * PAGE])
    layout = mp.interleave(allowed, block=PAGE)
    p = mp.plan(a, layout)
    before = np.full(393, allowed[0])
    wanted = mp.targets(a, layout)[7:]
    for node in allowed:
        assert p.flows[allowed[0], node] == PAGE * np.count_nonzero(wanted == node)
    assert (witness.nodes_of(memory.pages_of(a)[7:]) == before).all()
    assert p.absent == 7
    r = p.execute()
    assert (r.moved * PAGE, r.already_there * PAGE) == (p.to_move, p.in_place)
    assert np.array_equal(witness.nodes_of(memory.pages_of(a)[7:]), wanted)


def test_estimate_has_the_right_magnitude(allowed):
    estimates, seconds = [], []
    for _ in range(5):
        assert mp.calibrate(4 << 20) > 0
        a = memory.anonymous(2000 * PAGE, allowed[0])
        p = mp.plan(a, allowed[1])
        estimates.append(p.seconds)
        r = p.execute()
        assert r.moved == 2000
        seconds.append(r.seconds)
    # The machine may stand still during any of these: the shortest of each is what it can do.
    assert min(estimates) / 30 < min(seconds) < 30 * min(estimates)


@pytest.mark.parametrize("count", [3, 1_000, 10_000, 600_000])
def test_numpy_allocates_on_each_node(allowed, count):
    for node in allowed:
        with mp.allocating(node):
            a = np.ones(count)
            b = np.zeros(count) + a
        for each in (a, b):
            assert (witness.nodes_of(memory.pages_of(each)) == node).all()


def test_numpy_interleaves_what_it_allocates(allowed):
    with mp.allocating(allowed, mode="interleave", huge=None):
        # Too small for a huge page, which the kernel may allocate by itself.
        a = np.ones(120 * PAGE, np.uint8)
    found = np.bincount(witness.nodes_of(memory.pages_of(a)))[list(allowed)]
    assert found.min() >= found.max() - 1


def test_threads_allocate_each_on_its_node(allowed):
    def work(node):
        wrong = 0
        for count in (10, 20_000, 300_000) * 20:
            with mp.allocating(node):
                a = np.ones(count)
            wrong += int((witness.nodes_of(memory.pages_of(a)) != node).sum())
        return wrong

    with ThreadPoolExecutor(len(allowed)) as pool:
        assert list(pool.map(work, allowed)) == [0] * len(allowed)


def test_memory_moved_elsewhere_is_not_reused(allowed):
    here, there = allowed[:2]
    with mp.allocating(here):
        a = np.ones(200 * PAGE, np.uint8)
        mp.move(a, there).raise_for_status()
        del a
        b = np.ones(200 * PAGE, np.uint8)
    assert (witness.nodes_of(memory.pages_of(b)) == here).all()
