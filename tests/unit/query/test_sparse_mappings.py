"""where(), plan() and move() take little time and memory for 16 TiB with a few pages in it.

Everything is on one node here; tests/numa shows what differs with several.
"""

import time

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from support import sparse
from support.memory import PAGE
from support.sparse import Anywhere

NODE = mp.topology().allowed_nodes[0]


@pytest.fixture(autouse=True)
def _scanned():
    if _core.reach(0, 1 << 30, 1, 0) is None:
        pytest.skip("needs Linux 6.7, which scans page tables")


def bounded():
    """Allow 3 s of CPU time on a usual machine, and as many times more as this one is slower.

    A call takes 20 to 100 ms, but minutes if absent pages are expanded. The sum here takes 4
    to 20 ms. In a guest, both take longer, the more so while its host is busy.
    """
    start = time.process_time()
    sum(range(300_000))
    return sparse.bounded(3 * max(1, (time.process_time() - start) / 0.02))


def check(a, numbers, targets):
    """Compare what is reported about an array with the numbers of its present pages."""
    with bounded():
        p = mp.where(a)
    present = p.runs["status"] >= 0
    first = (p.runs["address"][present] - np.uintp(a.ctypes.data)) // np.uintp(PAGE)
    pages = p.runs["pages"][present]
    assert np.array_equal(np.unique(numbers[np.isin(numbers, first)]), first.astype(np.int64))
    assert (pages.sum(), p.runs["pages"].sum()) == (len(numbers), p.pages)
    assert p.runs["nbytes"].sum() == a.nbytes
    assert p.absent_reasons == {mp.Absence.UNTOUCHED: p.pages - len(numbers)}
    for name, target in {**targets, "restore": p, "like": mp.like(p)}.items():
        with bounded():
            q = mp.plan(a, target)
        assert (q.absent, q.untargeted) == (p.pages - len(numbers), 0), name
        assert q.flows == {(NODE, NODE): len(numbers) * PAGE}, name
        with bounded():
            r = mp.move(a, target)
        assert r.moved == r.not_attempted == 0, name
        absent = p.pages - len(numbers)
        if name in ("restore", "like"):
            assert r.failed == 0, name
        else:
            assert r.failures == {mp.PageStatus.ENOENT: absent}, name
        assert np.array_equal(r.runs, p.runs), name
        assert r.absent_reasons == p.absent_reasons
        with bounded():
            assert mp.move(a, target, on_conflict="raise").failed == r.failed, name


LAYOUTS = {
    "one": NODE,
    "interleave": Anywhere(mp.interleave([NODE, NODE])),
    "interleave of pages": Anywhere(mp.interleave([NODE, NODE], block=PAGE)),
    "weighted": Anywhere(mp.weighted({NODE: 3})),
    "blocks": Anywhere(mp.blocks([NODE, NODE, NODE])),
}


@pytest.mark.parametrize(("count", "names"), [(200, LAYOUTS), (3000, ["one", "interleave"])])
def test_scattered_pages(count, names):
    a = sparse.reserved(node=NODE)
    check(a, sparse.touched(a, count), {name: LAYOUTS[name] for name in names})


def test_scattered_huge_pages(huge_page_size):
    a = sparse.reserved(node=NODE, huge=True)
    frame = -a.ctypes.data % huge_page_size // PAGE
    per = huge_page_size // PAGE
    frames = np.sort(np.random.default_rng(0).choice(len(a) // huge_page_size - 1, 20, False))
    a[(frame + frames * per) * PAGE] = 1
    if mp.where(a).pages_per_node != {NODE: 20 * per}:
        pytest.skip("needs 20 huge pages, the kernel gave fewer")
    check(a, (frame + frames[:, None] * per + np.arange(per)).ravel(), LAYOUTS)


def test_no_page_is_present():
    a = sparse.reserved(node=NODE)
    check_nothing = {"one": NODE, "blocks": LAYOUTS["blocks"]}
    for target in check_nothing.values():
        with bounded():
            r = mp.move(a, target)
        assert r.failures == {mp.PageStatus.ENOENT: sparse.WHOLE // PAGE}
    seen = mp.where(a)
    sparse.touched(a, 10)
    r = mp.move(a, seen)
    assert (r.untargeted, r.already_there) == (10, sparse.WHOLE // PAGE - 10)
    assert mp.plan(a, seen).untargeted == 10


def test_dense_parts_of_a_sparse_mapping():
    """Whole blocks of present pages follow blocks of absent ones."""
    a = sparse.reserved(node=NODE)
    for place in (1 << 33, (1 << 43) + 12345 * PAGE):
        a[place : place + (96 << 20) : PAGE] = 1
    firsts = [
        place // PAGE + np.arange((96 << 20) // PAGE)
        for place in (1 << 33, (1 << 43) + 12345 * PAGE)
    ]
    check(a, np.concatenate(firsts), {"one": NODE, "blocks": LAYOUTS["blocks"]})


@pytest.mark.parametrize("width", [8, 3 * PAGE, 1 << 29])
def test_an_array_of_long_strides(width):
    whole = sparse.reserved(node=NODE)
    a = np.ndarray((16000, width), np.uint8, whole, 5 * PAGE, (1 << 30, 1))
    rows = np.arange(0, 16000, 37)
    a[rows, width // 2] = 1
    with bounded():
        p = mp.where(a)
    assert p.pages_per_node == {NODE: len(rows)}
    assert p.nbytes == a.nbytes
    assert p.runs["nbytes"].sum() == a.nbytes
    for target in (NODE, p, mp.like(p), LAYOUTS["blocks"], Anywhere(mp.by_axis(0, [NODE] * 2))):
        with bounded():
            q = mp.plan(a, target)
        assert (q.absent, q.flows) == (p.absent_pages, {(NODE, NODE): len(rows) * PAGE})
        with bounded():
            r = mp.move(a, target)
        assert r.already_there + r.failed == p.pages
        assert r.runs["pages"].sum() == p.pages


def test_two_rows_of_terabytes():
    whole = sparse.reserved(node=NODE)
    a = np.ndarray((2, (1 << 42) - 5), np.uint8, whole, 7, (1 << 43, 1))
    a[:, 1 << 41] = 1
    with bounded():
        p = mp.where(a)
    assert (p.shared_edges, p.pages) == (4, 2 * ((1 << 30) + 1))
    assert p.pages_per_node == {NODE: 2}
    with bounded():
        assert mp.move(a, p).ok
    with bounded():
        assert mp.plan(a, LAYOUTS["interleave"]).absent == p.absent_pages
