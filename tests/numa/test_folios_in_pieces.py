"""Moves of folios mapped by small entries, where no page table shows what moves together."""

import errno
import mmap
import warnings
from pathlib import Path

import numpy as np
import pytest

import movepages as mp
from movepages.migration import conflicts
from movepages.results.outcome import make_error
from support import memory, nodes, system, witness
from support.kinds_base import PROT_RW, advise
from support.kinds_kernel import settings

_THP = Path("/sys/kernel/mm/transparent_hugepage")
_BUSY = mp.PageStatus.EBUSY
KIB = 1 << 10


def in_pieces(node):
    """Return two huge pages that the page tables map by small entries."""
    a = memory.anonymous(2 * memory.huge_page_size(), node=node, huge=True)
    memory.keep_as_it_is(a)
    assert witness.huge_bytes(a) == a.nbytes
    for start in (a.ctypes.data, a.ctypes.data + memory.huge_page_size()):
        for rights in (0, PROT_RW):
            system.succeed(system.libc.mprotect(start, memory.PAGE, rights))
    assert witness.huge_bytes(a) == 0
    return a


def of_64_kib(node):
    """Return memory in folios of 64 KiB (mTHP)."""
    enabled = _THP / "hugepages-64kB/enabled"
    if not enabled.exists():
        pytest.skip("needs huge pages of 64 KiB, which came with Linux 6.8")
    a = memory.anonymous(512 * KIB)
    memory.bind(a, node)
    with settings({enabled: "madvise"}):
        advise(a, mmap.MADV_HUGEPAGE)
        memory.touch(a)
    memory.keep_as_it_is(a)
    return a


def without_zeros(a):
    """Fill each page: from Linux 6.12 on, splitting a huge page drops its pages of zeros."""
    a[:: memory.PAGE] = np.arange(len(a) // memory.PAGE) % 251 + 1
    return a


@pytest.mark.parametrize("make", [in_pieces, of_64_kib])
@pytest.mark.parametrize("on_conflict", ["majority", "split"])
def test_statuses_of_folios_in_pieces_are_true(
    two_nodes, huge_page_size, need_root, make, on_conflict
):
    random = np.random.default_rng(0)
    ids = nodes.allowed()[:3]
    a = without_zeros(make(ids[0]))
    pages = memory.pages_of(a)
    before, contents = witness.nodes_of(pages), a.copy()
    for turn in range(12):
        row = int(random.choice([1, 7, 24, 64]))
        target = random.choice(ids, -(-len(pages) // row)).repeat(row)[: len(pages)]
        target = target.astype(np.int32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", mp.LayoutWarning)
            r = mp.move(a, target, on_conflict=on_conflict)
        found, status = witness.nodes_of(pages), r.status
        label = f"turn {turn}, rows of {row}"
        placed = status >= 0
        assert np.array_equal(status[placed], found[placed]), label
        assert set(status[~placed].tolist()) <= {_BUSY}, label
        assert not (found == target)[~placed].any(), label
        assert r.overruled == int((placed & (found != target)).sum()), label
        assert r.moved + r.already_there == int(placed.sum()), label
        # A page that was carried away and back may count as either.
        assert r.already_there <= int((placed & (found == before)).sum()), label
        assert r.ok == (found == target).all(), label
        before = found
    assert np.array_equal(a, contents)


def groups_found(pages, there, probe):
    """Return the pages of each group that is found by moving one page."""
    tried = np.arange(len(pages)) == probe
    target = np.full(len(pages), there, np.int32)
    found = conflicts.carried_along(pages, tried, target, pid=0, flags=0)
    return [np.flatnonzero(found.of == group).tolist() for group in range(found.number)]


def test_pages_that_move_together_form_one_group(two_nodes, huge_page_size, need_root):
    here, there, *_ = nodes.allowed()
    a = without_zeros(in_pieces(here))
    half = len(a) // memory.PAGE // 2
    groups = groups_found(memory.pages_of(a), there, half + 3)
    assert [(pages[0], len(pages)) for pages in groups] == [(half, half)]


def test_page_that_moved_by_itself_is_in_no_group(two_nodes, monkeypatch):
    here, there, *_ = nodes.allowed()
    a = memory.anonymous(64 * memory.PAGE, node=here)
    pages, moves = memory.pages_of(a), []

    def another_moves_too(addresses, nodes=None, **options):
        status = mp.move_pages(addresses, nodes, **options)
        if nodes is not None and not moves:
            moves.append(mp.move_pages(pages[7:9], there))
        return status

    monkeypatch.setattr(conflicts, "move_pages", another_moves_too)
    assert groups_found(pages, there, 3) == []
    assert len(moves) == 1
    assert witness.nodes_of(pages[[3, 7, 8]]).tolist() == [there] * 3


def test_group_counts_if_no_page_may_move_back(two_nodes, huge_page_size, need_root, monkeypatch):
    here, there, *_ = nodes.allowed()
    a = without_zeros(in_pieces(here))

    def only_there(addresses, nodes=None, **options):
        if nodes is not None and (nodes == here).any():
            raise make_error(errno.EACCES, "outside the cpuset")
        return mp.move_pages(addresses, nodes, **options)

    monkeypatch.setattr(conflicts, "move_pages", only_there)
    half = len(a) // memory.PAGE // 2
    groups = groups_found(memory.pages_of(a), there, half + 3)
    assert [(pages[0], len(pages)) for pages in groups] == [(half, half)]
    assert (witness.nodes_of(memory.pages_of(a[len(a) // 2 :])) == there).all()
