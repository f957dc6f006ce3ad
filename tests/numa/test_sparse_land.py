"""Pages scattered over a sparse mapping go where each target wants them.

The witness is asked about present pages only, because it would fault others in.
"""

import time

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from support import memory, nodes, processes, sparse, witness

PAGE = memory.PAGE
COUNT = 120


def size():
    """Return how much can be scanned at once: before Linux 6.7 every page table entry is read."""
    return 1 << 33 if _core.reach(0, 1 << 30, 1, 0) is None else sparse.WHOLE


@pytest.fixture
def chosen(two_nodes):
    return nodes.allowed()[::-1][:3]


@pytest.fixture
def mapping(chosen):
    """Return the memory, the numbers of its pages, and their addresses."""
    a = sparse.reserved(size())
    memory.bind(a, *chosen)
    numbers = sparse.touched(a, COUNT)
    # Some pages are neighbours.
    some = np.unique(np.concatenate((numbers, numbers[3:30] + 1, numbers[9:12] + 2)))
    numbers = some[some < len(a) // PAGE]
    a[numbers * PAGE] = np.arange(len(numbers)) % 251
    address = np.uintp(a.ctypes.data) + (numbers * PAGE).astype(np.uintp)
    return a, numbers, address


def check(mapping, target, wanted, *, restored=False):
    a, numbers, address = mapping
    before = witness.nodes_of(address)
    p = mp.plan(a, target)
    pages = len(a) // PAGE
    assert (p.pages, p.absent, p.overruled, p.untargeted) == (pages, pages - len(numbers), 0, 0)
    assert p.to_move == PAGE * np.count_nonzero(before != wanted)
    start = time.perf_counter()
    r = mp.move(a, target)
    seconds = time.perf_counter() - start
    assert np.array_equal(witness.nodes_of(address), wanted)
    assert r.moved == np.count_nonzero(before != wanted)
    absent = pages - len(numbers)
    assert r.already_there == len(numbers) - r.moved + absent * restored
    assert r.failed == absent * (not restored)
    assert r.ok is restored
    assert r.not_attempted == 0
    assert r.runs["pages"].sum() == pages
    there = mp.where(a)
    assert np.array_equal(there.runs, r.runs)
    assert np.array_equal(a[numbers * PAGE], np.arange(len(numbers)) % 251)
    return seconds


def test_each_target(mapping, chosen):
    a, numbers, address = mapping
    count = len(chosen)
    of = np.array(chosen, np.int32)
    # With equal weights, the lowest node has the first turn.
    shares, turns = {chosen[0]: 1, chosen[1]: 1}, np.array(sorted(chosen[:2]))
    at_first, seen = mp.where(a), witness.nodes_of(address)
    frame = (address // np.uintp(_core.HUGE_PAGE_BYTES)).astype(np.int64)
    frame -= a.ctypes.data // _core.HUGE_PAGE_BYTES
    share = numbers * count // (len(a) // PAGE)
    placed = memory.anonymous(count * 8 * PAGE, chosen[0])
    mp.move(placed, mp.blocks(chosen)).raise_for_status()
    targets = {
        "one": (chosen[1], np.full(len(numbers), chosen[1])),
        "interleave": (mp.interleave(chosen), of[frame % count]),
        "interleave of pages": (mp.interleave(chosen, block=PAGE), of[numbers % count]),
        "weighted": (mp.weighted(shares, block=PAGE), turns[numbers % 2]),
        "blocks": (mp.blocks(chosen), of[share]),
        "like": (mp.like(placed), of[share]),
    }
    for name, (target, wanted) in targets.items():
        print(name, f"{check(mapping, target, wanted):.3f} s")
    print("restore", f"{check(mapping, at_first, seen, restored=True):.3f} s")


def test_pages_absent_from_the_placement_stay(mapping, chosen):
    a, numbers, address = mapping
    memory.discard(a[numbers[5] * PAGE : (numbers[5] + 1) * PAGE])
    at_first = mp.where(a)
    a[numbers[5] * PAGE] = 1
    here = witness.nodes_of(address)
    mp.move(a, chosen[2])
    p = mp.plan(a, at_first)
    r = mp.move(a, at_first)
    assert p.untargeted == r.untargeted == r.not_attempted == 1
    here[5] = chosen[2]
    assert np.array_equal(witness.nodes_of(address), here)


@pytest.mark.filterwarnings("ignore::movepages.LayoutWarning")
def test_huge_pages(chosen, huge_page_size):
    if size() < sparse.WHOLE:
        pytest.skip("needs Linux 6.7, which shows huge pages in so large a mapping")
    a = sparse.reserved(huge=True)
    memory.bind(a, *chosen)
    start, per = -a.ctypes.data % huge_page_size, huge_page_size // PAGE
    frames = np.sort(np.random.default_rng(1).choice(len(a) // huge_page_size - 1, 12, False))
    places = start + frames * huge_page_size
    a[places] = 1
    if witness.huge_bytes(a) < 12 * huge_page_size:
        memory.discard(a)
        nodes.make_room()
        a[places] = 1
    if witness.huge_bytes(a) < 12 * huge_page_size:
        pytest.skip("needs 12 huge pages, the kernel gave fewer")
    address = np.uintp(a.ctypes.data) + places.astype(np.uintp)
    for target in (mp.interleave(chosen), mp.interleave(chosen, block=PAGE), mp.blocks(chosen)):
        r = mp.move(a, target)
        assert r.moved + r.already_there == 12 * per
        assert r.overruled == mp.plan(a, target).overruled
        r = mp.move(a, target)
        assert (r.moved, r.already_there) == (0, 12 * per)
    share = frames * len(chosen) // (len(a) // huge_page_size)
    assert np.array_equal(witness.nodes_of(address), np.array(chosen)[share])
    assert witness.huge_bytes(a) == 12 * huge_page_size


def test_another_process(chosen):
    held = []

    def hold():
        held.append(sparse.reserved(size()))
        memory.bind(held[0], chosen[0])
        return held[0].ctypes.data, sparse.touched(held[0], COUNT).tolist()

    with processes.child(hold) as child:
        address, numbers = child.result
        region = mp.Region(address, size(), child.pid)
        r = mp.move(region, mp.blocks(chosen))
        placed = witness.numa_maps(child.pid)[address].nodes
    share = np.array(numbers) * len(chosen) // (size() // PAGE)
    expected = {chosen[n]: int(np.count_nonzero(share == n)) for n in range(len(chosen))}
    assert placed == expected
    assert r.moved + r.already_there == len(numbers)
