"""NUMA balancing at work: before Linux 6.6 the kernel calls the pages that it watches absent.

The other tests keep balancing away. Here it acts on a child process, at a faster pace.
"""

import numpy as np
import pytest

import movepages as mp
from support import balancing, memory
from support.balancing import watched
from support.processes import child


@pytest.fixture
def hurried_balancing(two_nodes, need_root):
    if missing := balancing.needs():
        pytest.skip(f"needs {missing}")
    with balancing.hurried():
        yield


def look_and_move(far, nodes, huge):
    p = mp.where(watched(far, huge))
    assert p.absent_pages == 0
    assert sum(p.bytes_per_node.values()) == p.nbytes
    results = []
    for node in nodes:
        a = watched(far, huge)
        r = mp.move(a, node)
        results.append((r.pages, r.moved + r.already_there, dict(r.failures)))
        assert (a[:: memory.PAGE] == np.arange(r.pages) % 251).all()
    return results


@pytest.mark.parametrize("huge", [False, True], ids=["small pages", "huge pages"])
def test_watched_pages_are_seen_and_moved(hurried_balancing, two_nodes, memory_only_node, huge):
    with child(look_and_move, memory_only_node, two_nodes, huge) as one:
        for pages, on_target, failures in one.result:
            assert (on_target, failures) == (pages, {})


def absent_while_watched(far):
    a = watched(far, huge=False)
    memory.discard(a[: 1 << 20])
    fresh, zeros = memory.anonymous(1 << 20), memory.anonymous(1 << 20)
    assert zeros.sum() == 0
    return [mp.where(each).absent_bytes for each in (a, fresh, zeros)]


def test_absent_pages_are_not_taken_for_hidden_ones(hurried_balancing, memory_only_node):
    """Holes, untouched memory and the zero page are still reported as absent."""
    with child(absent_while_watched, memory_only_node) as one:
        assert one.result == [1 << 20] * 3
