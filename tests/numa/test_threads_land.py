"""Moves by several threads: each page lands where it is wanted, and is reported there."""

import mmap

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from support import memory, nodes, witness
from support.pins import pinned
from support.storm import adding_up

PAGE = memory.PAGE
MIB = 1 << 20
SEVERAL = (2, 3, 8)


@pytest.fixture
def here_and_there(two_nodes):
    here, there, *_ = nodes.allowed()
    return here, there


@pytest.fixture
def threads_of_calls(monkeypatch):
    """Return the numbers of threads of all moving calls of the core."""
    taken = []
    call = _core.move_pages

    def move_pages(pages, nodes, *rest):
        if nodes is not None:
            taken.append(rest[4] if len(rest) > 4 else 1)
        return call(pages, nodes, *rest)

    monkeypatch.setattr(_core, "move_pages", move_pages)
    return taken


def check_each(a, wanted, result, *, moved=None):
    """Check where the pages are, what is reported of them, and what they contain."""
    pages = memory.pages_of(a)
    assert np.array_equal(witness.nodes_of(pages), np.broadcast_to(wanted, len(pages)))
    assert np.array_equal(result.status, np.broadcast_to(wanted, len(pages)))
    assert result.ok
    assert moved is None or result.moved == moved
    assert (a[::PAGE] == np.arange(len(pages)) % 251).all()


@pytest.mark.parametrize("threads", SEVERAL)
def test_small_pages_to_one_node(here_and_there, threads):
    here, there = here_and_there
    a = memory.anonymous(4 * MIB, here)
    r = mp.move(a, there, threads=threads)
    check_each(a, there, r, moved=a.nbytes // PAGE)


@pytest.mark.parametrize("threads", SEVERAL)
def test_small_pages_in_turns(here_and_there, threads):
    here, there = here_and_there
    a = memory.anonymous(4 * MIB, here)
    r = mp.move(a, mp.interleave([here, there], block=PAGE), threads=threads)
    # The turns are by page number.
    turn = memory.pages_of(a) // PAGE % 2
    assert set(r.status.tolist()) == {here, there}
    check_each(a, np.where(turn == turn[0], r.status[0], r.status[1]), r)
    assert r.moved == r.already_there


@pytest.mark.parametrize("threads", SEVERAL)
def test_huge_pages_stay_whole(here_and_there, huge_page_size, threads):
    here, there = here_and_there
    a = memory.anonymous(8 * huge_page_size, here, huge=True)
    assert witness.huge_bytes(a) == a.nbytes
    r = mp.move(a, there, threads=threads)
    check_each(a, there, r, moved=a.nbytes // PAGE)
    r = mp.move(a, mp.blocks([here, there]), threads=threads)
    check_each(a, np.repeat([here, there], a.nbytes // PAGE // 2), r)
    assert witness.huge_bytes(a) == a.nbytes


def test_holes_and_busy_pages(here_and_there):
    here, there = here_and_there
    a = memory.anonymous(2 * MIB, here)
    pages = memory.pages_of(a)
    memory.discard(a[100 * PAGE : 164 * PAGE])
    busy = [3, 250, 255, 256, 511]
    with pinned(*pages[busy]):
        r = mp.move(a, there, threads=4, retry=mp.RetryPolicy(attempts=0))
        assert (witness.nodes_of(pages[busy]) == here).all()
    assert r.failures.pop(mp.PageStatus.EBUSY) == 5
    # Which of the two it is depends on the kernel.
    assert r.failures in ({mp.PageStatus.ENOENT: 64}, {mp.PageStatus.EFAULT: 64})
    assert r.moved == len(pages) - 64 - 5
    assert (r.status[busy] == mp.PageStatus.EBUSY).all()


def test_large_moves_take_several_by_default(here_and_there, threads_of_calls):
    here, there = here_and_there
    a = memory.anonymous(34 * MIB, here)
    r = mp.move(a, there)
    check_each(a, there, r)
    assert threads_of_calls == [2]


def test_cancelled_in_the_middle(here_and_there):
    here, there = here_and_there
    a = memory.anonymous(64 * MIB, here)
    calls = []

    def progress(done, pages):
        calls.append(done)
        return len(calls) < 4

    with pytest.raises(mp.MovePagesCancelledError) as raised:
        mp.move(a, there, threads=2, progress=progress)
    r = raised.value.result
    found = witness.nodes_of(memory.pages_of(a))
    assert 0 < r.moved < len(found)
    assert r.moved + r.not_attempted == len(found)
    assert np.array_equal(found == there, r.status == there)


def test_a_full_node(here_and_there):
    here, *_ = here_and_there
    small = min(nodes.allowed(), key=nodes.free_bytes)
    if nodes.free_bytes(small) > 400 * MIB or small == here:
        pytest.skip("needs a node that an array of 512 MiB fills")
    a = memory.anonymous(nodes.most_bytes(small) + 64 * MIB, here)
    with pytest.raises(MemoryError) as raised:
        mp.move(a, small, threads=2)
    r = raised.value.result
    # Its traceback would keep the array, and the node full, until garbage is collected.
    del raised
    found = witness.nodes_of(memory.pages_of(a))
    assert 0 < r.moved < len(found)
    assert np.array_equal(found == small, r.status == small)
    assert (a[::PAGE] == np.arange(len(found)) % 251).all()


def test_writers_go_on_meanwhile(here_and_there):
    here, there = here_and_there
    a = memory.anonymous(8 * MIB, here)
    numbers = a.view(np.int64)
    numbers[:] = 0
    with adding_up(numbers) as turns:
        for node in (there, here, there):
            assert mp.move(a, node, threads=3, retry=mp.RetryPolicy(attempts=50, deadline=300)).ok
    assert (numbers == turns[0]).all()
    assert (witness.nodes_of(memory.pages_of(a)) == there).all()


def test_pages_of_a_file_at_odd_offsets(here_and_there, tmp_path):
    """Large folios of a file may begin in the part of one thread and end in that of another."""
    here, there = here_and_there
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * (8 * MIB // 256))
    with path.open("r+b") as file:
        a = np.frombuffer(mmap.mmap(file.fileno(), 8 * MIB - PAGE, offset=PAGE), np.uint8)
    a[::PAGE].sum()
    for node in (there, here, there):
        r = mp.move(a, node, threads=7)
        pages = memory.pages_of(a)
        assert np.array_equal(witness.nodes_of(pages), r.status)
        assert (r.status == node).all()
