"""Calls that succeed in part: the package finds and reports what the kernel does not."""

import signal
from threading import Timer

import numpy as np
import pytest

import movepages as mp
from interruptions import collected
from movepages import _core
from support import memory, nodes, witness
from support.pins import pinned
from support.processes import child

MIB = 1 << 20
BUSY, ABSENT, SHARED = mp.PageStatus.EBUSY, mp.PageStatus.ENOENT, mp.PageStatus.EACCES


@pytest.fixture
def here_and_there(two_nodes):
    here, there, *_ = nodes.allowed()
    return here, there


def test_one_pinned_page_of_twelve(here_and_there):
    here, there = here_and_there
    a = memory.anonymous(12 * memory.PAGE, node=here)
    pages = memory.pages_of(a)
    with pinned(pages[4]):
        status = mp.move_pages(pages, there)
        expected = np.full(12, there)
        expected[4] = here
        assert np.array_equal(witness.nodes_of(pages), expected)
    expected[4] = BUSY
    assert np.array_equal(status, expected)


def test_a_pinned_page_and_a_hole(here_and_there):
    here, there = here_and_there
    a = memory.anonymous(12 * memory.PAGE, node=here)
    pages = memory.pages_of(a)
    memory.discard(a[5 * memory.PAGE : 6 * memory.PAGE])
    with pinned(pages[2]):
        status = mp.move_pages(pages, there)
        others = np.delete(np.arange(12), [2, 5])
        assert (witness.nodes_of(pages[others]) == there).all()
        assert (status[others] == there).all()
        assert witness.nodes_of(pages[[2]]) == here
    assert status[2] == BUSY
    assert status[5] in (ABSENT, mp.PageStatus.EFAULT)
    assert not witness.present(pages[[5]])[0]


def test_a_pinned_page_moves_once_it_is_free(here_and_there):
    here, there = here_and_there
    a = memory.anonymous(8 * memory.PAGE, node=here)
    with pinned(memory.pages_of(a)[3]):
        r = mp.move(a, there)
        assert (r.moved, r.failures) == (7, {BUSY: 1})
    r = mp.move(a, there)
    assert (r.moved, r.already_there, r.ok) == (1, 7, True)


def test_busy_page_is_retried(here_and_there, monkeypatch):
    here, there = here_and_there
    a = memory.anonymous(64 * memory.PAGE, node=here)
    held = pinned(*memory.pages_of(a)[[3, 40]])
    held.__enter__()
    release = Timer(0.3, held.__exit__, (None, None, None))
    call = _core.move_pages

    def move_pages(*arguments):
        came = call(*arguments)
        # Not before the first try, however slow the machine is to make it.
        if arguments[1] is not None and release.ident is None:
            release.start()
        return came

    monkeypatch.setattr(_core, "move_pages", move_pages)
    r = mp.move(a, there, retry=mp.RetryPolicy(attempts=100, backoff=0.01, deadline=300))
    release.join()
    assert (r.moved, r.ok) == (64, True)
    assert r.rounds > 1
    assert (witness.nodes_of(memory.pages_of(a)) == there).all()


def test_retries_of_a_busy_page_are_counted(here_and_there):
    here, there = here_and_there
    a = memory.anonymous(8 * memory.PAGE, node=here)
    with pinned(memory.pages_of(a)[3]):
        # The usual deadline of 1 s may pass on a machine that stands still for a moment.
        r = mp.move(a, there, retry=mp.RetryPolicy(attempts=3, backoff=0, deadline=300))
    assert (r.moved, r.failures, r.rounds) == (7, {BUSY: 1}, 4)


def test_the_same_page_twice_is_not_busy(here_and_there):
    here, there = here_and_there
    a = memory.anonymous(4 * memory.PAGE, node=here)
    pages = np.repeat(memory.pages_of(a), 3)
    assert (mp.move_pages(pages, there) == there).all()
    assert (witness.nodes_of(pages) == there).all()


def test_the_same_page_to_two_nodes_is_reported_where_it_ends(here_and_there):
    here, there = here_and_there
    a = memory.anonymous(memory.PAGE, node=here)
    pages = memory.pages_of(a)[[0, 0, 0]]
    status = mp.move_pages(pages, [there, here, there])
    found = witness.node_of(pages[0])
    assert status.tolist() == [node if node == found else BUSY for node in (there, here, there)]


@pytest.fixture
def huge_page(here_and_there, huge_page_size):
    a = memory.anonymous(huge_page_size, node=here_and_there[0], huge=True)
    assert witness.huge_bytes(a) == a.nbytes
    return a


def test_every_piece_of_a_huge_page_to_one_node(here_and_there, huge_page):
    _, there = here_and_there
    status = mp.move_pages(memory.pages_of(huge_page), there)
    assert (status == there).all()
    assert (witness.nodes_of(memory.pages_of(huge_page)) == there).all()


def test_pieces_of_a_huge_page_to_two_nodes_are_reported_where_they_end(here_and_there, huge_page):
    # Every piece moves the whole huge page: a few suffice, and take long enough.
    pages = memory.pages_of(huge_page)[::32]
    target = np.resize(np.array(here_and_there, np.int32), len(pages))
    status = mp.move_pages(pages, target)
    found = witness.nodes_of(pages)
    assert np.array_equal(status, np.where(found == target, target, BUSY))
    assert (status == BUSY).any()


def result_of(expected, array, node, **how):
    """Return an error's result without the error, as its traceback would keep the array alive."""
    return failure_of(expected, array, node, **how)[0]


def failure_of(expected, array, node, **how):
    """Return the result that an error carries, and its message."""
    try:
        mp.move(array, node, **how)
    except expected as error:
        return error.result, str(error)
    pytest.fail(f"{expected.__name__} was not raised")


def test_a_node_that_fills_up_half_way(here_and_there):
    here, _ = here_and_there
    small = min(nodes.allowed(), key=nodes.free_bytes)
    size = nodes.most_bytes(small) + 64 * MIB
    if small == here or nodes.free_bytes(here) < size + 200 * MIB:
        pytest.skip("needs a node much smaller than the first, such as one of 256 MiB")
    a = memory.anonymous(size, node=here)
    r, message = failure_of(MemoryError, a, small)
    assert f"node {small} has " in message
    assert "MiB free" in message
    found = witness.nodes_of(memory.pages_of(a))
    assert set(found.tolist()) == {here, small}
    assert r.moved == int((found == small).sum())
    assert r.failures == {mp.PageStatus.ENOMEM: r.failed}
    assert r.failed > 0
    assert r.moved + r.failed + r.not_attempted == r.pages == len(found)
    assert np.array_equal(r.status == small, found == small)


def test_ctrl_c_in_the_middle_leaves_a_true_result(here_and_there):
    here, there = here_and_there
    a = memory.anonymous(256 * MIB, node=here)

    def interrupt(_signal, _frame):
        raise KeyboardInterrupt

    def ring_soon(done, total):
        # The timer fires while the kernel moves pages again, on a machine of any speed.
        if done < total / 2:
            signal.setitimer(signal.ITIMER_REAL, 0.001)

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with collected():
            r = result_of(KeyboardInterrupt, a, there, progress=ring_soon)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    found = witness.nodes_of(memory.pages_of(a))
    assert r.moved == int((found == there).sum())
    assert 0 < r.not_attempted == int((found == here).sum())
    assert np.array_equal(r.status == there, found == there)


@pytest.mark.parametrize("seed", range(6))
def test_random_mixtures_are_reported_as_they_are(here_and_there, seed):
    """Mix holes, pins, shared pages and duplicates, with random nodes, order and lengths."""
    random = np.random.default_rng(seed)
    ids = [node for node in nodes.allowed() if nodes.free_bytes(node) > 64 * MIB]
    a = memory.anonymous(256 * memory.PAGE, node=int(random.choice(ids)))
    pages = memory.pages_of(a)
    shared = a[192 * memory.PAGE :]
    with child():
        # The write makes these pages private to this process again; the rest stays shared.
        memory.touch(a[: 192 * memory.PAGE])
        for hole in random.choice(192, 10, replace=False):
            memory.discard(a[hole * memory.PAGE : (hole + 1) * memory.PAGE])
        present = witness.present(pages)
        pins = random.choice(np.flatnonzero(present[:192]), 8, replace=False)
        with pinned(*pages[pins]):
            for _ in range(12):
                asked = random.choice(256, random.integers(1, 400))
                target = random.choice(ids, len(asked)).astype(np.int32)
                before = witness.nodes_of(pages[asked[present[asked]]])
                status = mp.move_pages(pages[asked], target)
                check(status, target, asked, pages, present, pins)
                stuck = np.isin(asked, pins) | (asked >= 192)
                after = witness.nodes_of(pages[asked[present[asked]]])
                assert np.array_equal(after[stuck[present[asked]]], before[stuck[present[asked]]])
    assert (shared[:: memory.PAGE] == np.arange(192, 256) % 251).all()


def check(status, target, asked, pages, present, pins):
    """Compare every status with the witness and with what was done to the page."""
    there = present[asked]
    found = np.full(len(asked), -1)
    found[there] = witness.nodes_of(pages[asked[there]])
    assert np.isin(status[~there], [ABSENT, mp.PageStatus.EFAULT]).all()
    assert np.array_equal(status[there] >= 0, found[there] == target[there])
    assert np.array_equal(status[status >= 0], target[status >= 0])
    failed = there & (status < 0)
    assert set(status[failed & (asked >= 192)].tolist()) <= {SHARED}
    assert set(status[failed & (asked < 192)].tolist()) <= {BUSY}
    # A page that nothing pins, and that has one target only, is on that target.
    for index in np.unique(asked[there & (asked < 192) & ~np.isin(asked, pins)]):
        wanted = set(target[asked == index].tolist())
        if len(wanted) == 1:
            assert {found[i] for i in np.flatnonzero(asked == index)} == wanted
